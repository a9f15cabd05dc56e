/**
 * Writes long event frames of wsfetch.v1.
 *
 * @module
 */
import type { EventFrame } from "../protocol/mod.ts";
import { joinInSteps, STEP_BYTES } from "./body_form.ts";

/**
 * Returns the text of an event frame in steps that take a few milliseconds at most; yields between them.
 *
 * @param frame Its data is not used.
 * @param bytes The data; U+FFFD stands for what is not UTF-8.
 */
export function* encodeEventInSteps(
  frame: EventFrame,
  bytes: Uint8Array<ArrayBuffer>,
): Generator<undefined, string> {
  const { data: _data, ...head } = frame;
  const pieces = [JSON.stringify(head).slice(0, -1), ',"data":"'];
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (let start = 0; start < bytes.byteLength; start += STEP_BYTES) {
    yield;
    const end = start + STEP_BYTES;
    const text = decoder.decode(bytes.subarray(start, end), { stream: end < bytes.byteLength });
    pieces.push(JSON.stringify(text).slice(1, -1)); // no piece ends inside a character
  }
  pieces.push('"}');
  return yield* joinInSteps(pieces);
}

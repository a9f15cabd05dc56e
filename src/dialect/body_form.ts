/**
 * The form of a body inside a JSON frame: JSON if it is JSON, else text if it is valid UTF-8, else base64; also for a long
 * text that would be more than twice as long as a JSON string. From each form the bytes can be restored exactly.
 *
 * @module
 */
import { toBase64 } from "../protocol/base64.ts";
import { isJson, JsonCheck } from "./json_check.ts";

/** How a frame holds a body: under which member, and the member's value as JSON text. */
export interface BodyForm {
  readonly kind: "json" | "text" | "base64";
  readonly value: string;
}

/** The same for a long body: joined, the pieces are the value. */
export interface LongBodyForm {
  readonly kind: BodyForm["kind"];
  readonly pieces: readonly string[];
}

/** A body that is sent in a frame. */
export interface FrameBody {
  readonly bytes: Uint8Array;
  /** The value of the field `content-type`; `undefined`: the body is not sent as JSON. */
  readonly contentType: string | undefined;
}

/**
 * The bytes of one step, which takes 0.5 ms to 3 ms. They are divisible by 3 for base64, and more than 128 KiB: shorter
 * strings than that are copied by V8's collector.
 */
export const STEP_BYTES = 196_608;

// `ignoreBOM` keeps a byte order mark in the text, so that decoding is reversible.
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
const STRICT_UTF8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const REPLACEMENT = "\ufffd";
const PROBED_BYTES = 1024;
// A longer text may grow as much as one of nothing but quotes, backslashes or line ends.
const FREELY_GROWING_BYTES = 65_536;
const MAX_GROWTH = 2;

// A JSON MIME type, WHATWG MIME Sniffing §4.6.
const JSON_TYPE = /^\s*(?:application\/json|text\/json|[^;\s]+\+json)\s*(?:;|$)/i;

/** Returns the form in which a frame holds a body. */
export function formBody(body: FrameBody): BodyForm {
  const { bytes } = body;
  const text = decodeUtf8(bytes);
  if (text === undefined) return { kind: "base64", value: `"${toBase64(bytes)}"` };
  if (isOfJsonType(body) && isJson(bytes)) return { kind: "json", value: text };
  const value = JSON.stringify(text);
  if (isTooLong(value.length, bytes)) return { kind: "base64", value: `"${toBase64(bytes)}"` };
  return { kind: "text", value };
}

/** Does the same as {@linkcode formBody} in steps that take a few milliseconds at most; yields between them. */
export function* formBodyInSteps(body: FrameBody): Generator<undefined, LongBodyForm> {
  const kind = (yield* isJsonInSteps(body)) ? "json" : "text";
  const pieces: string[] = kind === "json" ? [] : ['"'];
  let length = 2;
  for (const bytes of cutUtf8(body.bytes)) {
    yield;
    const text = decodeUtf8(bytes);
    if (text === undefined) return yield* formBase64InSteps(body);
    const piece = kind === "json" ? text : JSON.stringify(text).slice(1, -1);
    length += piece.length;
    if (isTooLong(length, body.bytes)) return yield* formBase64InSteps(body);
    pieces.push(piece);
  }
  if (kind === "text") pieces.push('"');
  return { kind, pieces };
}

/** Joins the pieces of a long frame. To send it copies it once more, which is left to the step after this one. */
export function* joinInSteps(pieces: readonly string[]): Generator<undefined, string> {
  yield;
  const text = pieces.join("");
  yield;
  return text;
}

function* isJsonInSteps(body: FrameBody): Generator<undefined, boolean> {
  if (!isOfJsonType(body)) return false;
  const check = new JsonCheck(body.bytes);
  for (;;) {
    yield;
    const isJson = check.read(STEP_BYTES);
    if (isJson !== undefined) return isJson;
  }
}

function* formBase64InSteps({ bytes }: FrameBody): Generator<undefined, LongBodyForm> {
  const pieces: string[] = ['"'];
  for (let at = 0; at < bytes.length; at += STEP_BYTES) {
    yield;
    pieces.push(toBase64(bytes.subarray(at, at + STEP_BYTES)));
  }
  pieces.push('"');
  return { kind: "base64", pieces };
}

/** Cuts bytes into parts that each are valid UTF-8 if all bytes are. */
function* cutUtf8(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  while (start < bytes.length) {
    const end = startOfCharacter(bytes, Math.min(start + STEP_BYTES, bytes.length));
    yield bytes.subarray(start, end);
    start = end;
  }
}

/** Returns the position, or the one before it at which a character begins, if it is within one. */
function startOfCharacter(bytes: Uint8Array, position: number): number {
  let start = position;
  // More than three continuation bytes in a row are not valid wherever they are cut.
  for (let back = 0; back < 3 && isContinuation(bytes[start]); back++) start--;
  return start;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** Returns whether a JSON string is too long for its text: each control character takes six characters. */
function isTooLong(length: number, bytes: Uint8Array): boolean {
  return bytes.length > FREELY_GROWING_BYTES && length > 2 + MAX_GROWTH * bytes.length;
}

function isOfJsonType({ contentType }: FrameBody): boolean {
  return contentType !== undefined && JSON_TYPE.test(contentType);
}

/**
 * Returns the text that bytes encode in UTF-8, or `undefined` if they are not valid UTF-8. Decodes leniently
 * first, which is four times as fast, and strictly only if the result may contain a replacement.
 */
function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    // The lenient decoder takes 16 ns for each byte that is not UTF-8, and a body that is none shows it soon.
    if (bytes.length > PROBED_BYTES) {
      STRICT_UTF8.decode(bytes.subarray(0, startOfCharacter(bytes, PROBED_BYTES)));
    }
    const text = UTF8.decode(bytes);
    return text.includes(REPLACEMENT) ? STRICT_UTF8.decode(bytes) : text;
  } catch {
    return undefined; // not UTF-8: the body is sent as base64
  }
}

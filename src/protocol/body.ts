/**
 * A body inside a JSON frame: as JSON, as text or as base64.
 *
 * @module
 */
import { fromBase64, toBase64 } from "./base64.ts";
import { type ErrorCode, ProxyError } from "./errors.ts";

/** The members of a frame that hold a body; at most one of them is present. */
export interface BodyMembers {
  readonly json?: unknown;
  readonly text?: string;
  readonly base64?: string;
}

// `ignoreBOM` keeps a byte order mark in the text, so that decoding is reversible.
const STRICT_UTF8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Returns the member of a frame that holds these bytes: `text` if they are valid UTF-8, else `base64`. */
export function encodeBytes(bytes: Uint8Array): BodyMembers {
  try {
    return { text: STRICT_UTF8.decode(bytes) };
  } catch {
    return { base64: toBase64(bytes) }; // not UTF-8
  }
}

/**
 * Returns the bytes of the body that a frame holds, or `null` if the frame has no body.
 *
 * @param frame The frame's members.
 * @param json The JSON text of `json` as it stands in the frame; `undefined` if the frame has no `json`.
 * @param code The code of the error that is thrown.
 * @throws {ProxyError} `code`: the member `base64` is not valid base64.
 */
export function decodeBody(
  frame: BodyMembers,
  json: string | undefined,
  code: ErrorCode,
): Uint8Array<ArrayBuffer> | null {
  const text = frame.text ?? json;
  if (text !== undefined) return new TextEncoder().encode(text);
  if (frame.base64 === undefined) return null;
  try {
    return fromBase64(frame.base64);
  } catch (cause) {
    throw new ProxyError(code, '"base64" is not valid base64 (RFC 4648 §4)', { cause });
  }
}

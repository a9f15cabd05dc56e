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
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
const STRICT_UTF8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const REPLACEMENT = "\ufffd";

/** Returns the member of a frame that holds these bytes: `text` if they are valid UTF-8, else `base64`. */
export function encodeBytes(bytes: Uint8Array): BodyMembers {
  const text = decodeUtf8(bytes);
  return text === undefined ? { base64: toBase64(bytes) } : { text };
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

/**
 * Returns the text that bytes encode in UTF-8, or `undefined` if they are not valid UTF-8. Decodes leniently
 * first, which is four times as fast, and strictly only if the result may contain a replacement.
 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const text = UTF8.decode(bytes);
  if (!text.includes(REPLACEMENT)) return text;
  try {
    return STRICT_UTF8.decode(bytes);
  } catch {
    return undefined; // not UTF-8: the caller sends base64
  }
}

/**
 * A body inside a JSON frame: as JSON where it is JSON, else as text where it is UTF-8, else as base64.
 *
 * @module
 */
import { type ErrorCode, ProxyError } from "./errors.ts";

/** How a frame holds a body. `text`: the JSON text, the text, or the base64 itself. */
export interface BodyForm {
  readonly kind: "json" | "text" | "base64";
  readonly text: string;
}

/** The members of a frame that hold a body: at most one of them. */
export interface BodyMembers {
  readonly json?: unknown;
  readonly text?: string;
  readonly base64?: string;
}

// A byte order mark is kept, so that the bytes can be had back exactly.
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
const STRICT_UTF8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const REPLACEMENT = "\ufffd";

/**
 * Gives the form in which a frame holds a body. All three are exact: the bytes can be had back.
 *
 * @param contentType The body's `content-type`.
 * @param bytes The body, with no content coding.
 */
export function formBody(contentType: string | undefined, bytes: Uint8Array): BodyForm {
  const text = decodeUtf8(bytes);
  if (text === undefined) return { kind: "base64", text: toBase64(bytes) };
  if (contentType !== undefined && isJsonType(contentType) && isJson(text)) {
    return { kind: "json", text };
  }
  return { kind: "text", text };
}

/** Gives bytes as the member of a frame that holds them: `text` when they are UTF-8, else `base64`. */
export function encodeBytes(bytes: Uint8Array): BodyMembers {
  const text = decodeUtf8(bytes);
  return text === undefined ? { base64: toBase64(bytes) } : { text };
}

/**
 * Gives the bytes of the body that a frame holds, or `null` when it holds none.
 *
 * @param frame The frame's members.
 * @param json The text of `json` as it stands in the frame.
 * @param code The code of the error.
 * @throws {ProxyError} `base64` is not valid base64.
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

// Node.js has `toBase64` and `fromBase64` since 25, browsers since 2025: `btoa` and `atob` stand in.
function toBase64(bytes: Uint8Array): string {
  if (typeof bytes.toBase64 === "function") return bytes.toBase64();
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  if (typeof Uint8Array.fromBase64 === "function") return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

// JSON MIME type, WHATWG MIME Sniffing §4.6.
const JSON_TYPE = /^\s*(?:application\/json|text\/json|[^;\s]+\+json)\s*(?:;|$)/i;

function isJsonType(contentType: string): boolean {
  return JSON_TYPE.test(contentType);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // a body that says it is JSON and is not goes as text
  }
}

/** The lenient decoder is four times as fast; only where it may have mended something does it matter. */
function decodeUtf8(bytes: Uint8Array): string | undefined {
  const text = UTF8.decode(bytes);
  if (!text.includes(REPLACEMENT)) return text;
  try {
    return STRICT_UTF8.decode(bytes);
  } catch {
    return undefined; // not text: the caller sends base64
  }
}

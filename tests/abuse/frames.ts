/**
 * Frames of clients as bytes, to be sent many times.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { encodeChunk } from "../../src/protocol/mod.ts";
import { rawFrame, TEXT } from "../helpers/raw_client.ts";

/** Bytes for a TCP connection. */
export type Bytes = Uint8Array<ArrayBuffer>;

const BINARY = 0x82;
const BATCH_BYTES = 65_536;

/** Returns a text message: an object as JSON, or a string unchanged. */
export function textFrame(content: object | string): Bytes {
  return rawFrame(TEXT, typeof content === "string" ? content : JSON.stringify(content));
}

/** Returns a binary message. */
export function binaryFrame(bytes: Uint8Array): Bytes {
  return rawFrame(BINARY, bytes);
}

/** Returns a chunk of an upload with so many bytes of payload. */
export function chunkFrame(id: number, size: number): Bytes {
  return binaryFrame(encodeChunk({ id, fin: false, payload: new Uint8Array(size) }));
}

/** Returns the request frame of an exchange. */
export function requestFrame(id: number, url: string, members: object = {}): Bytes {
  return textFrame({ type: "request", id, url, ...members });
}

/** Returns one request frame for each `id` from 1 to `count`. */
export function requestFrames(count: number, url: string, members: object = {}): Bytes {
  return concat(Array.from({ length: count }, (_, i) => requestFrame(i + 1, url, members)));
}

/** Returns about 64 KiB of copies of a frame. */
export function batchOf(frame: Bytes): Bytes {
  const count = Math.max(1, Math.floor(BATCH_BYTES / frame.length));
  return concat(Array.from({ length: count }, () => frame));
}

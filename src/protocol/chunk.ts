/**
 * A chunk of a body as a binary message: 4 bytes of id (unsigned, big-endian), 1 byte of flags, the payload.
 *
 * @module
 */
import { ProxyError } from "./errors.ts";

/** The largest payload of a chunk that a server sends, in bytes. */
export const MAX_CHUNK_BYTES = 65_536;

/** A chunk of the request or response body of an exchange. */
export interface Chunk {
  /** The id of the exchange. */
  readonly id: number;
  /** Whether this is the last chunk of the body. */
  readonly fin: boolean;
  readonly payload: Uint8Array<ArrayBuffer>;
}

const HEAD_BYTES = 5;
const FIN = 1;

/** The size of a message with {@linkcode MAX_CHUNK_BYTES} of payload, in bytes. */
export const MAX_CHUNK_MESSAGE_BYTES = HEAD_BYTES + MAX_CHUNK_BYTES;

/**
 * Returns the binary message of a chunk; the payload is copied.
 *
 * @param into The memory to write the message to; allocated if absent.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeChunk } from "./chunk.ts";
 *
 * const bytes = encodeChunk({ id: 258, payload: new Uint8Array([65]), fin: true });
 * assertEquals([...bytes], [0, 0, 1, 2, 1, 65]);
 * ```
 */
export function encodeChunk(
  { id, payload, fin }: Chunk,
  into: Uint8Array<ArrayBuffer> = new Uint8Array(HEAD_BYTES + payload.byteLength),
): Uint8Array<ArrayBuffer> {
  new DataView(into.buffer, into.byteOffset).setUint32(0, id);
  into[HEAD_BYTES - 1] = fin ? FIN : 0;
  into.set(payload, HEAD_BYTES);
  return into.subarray(0, HEAD_BYTES + payload.byteLength);
}

/**
 * Returns the chunk that a binary message holds; the payload shares the memory of the message.
 *
 * @throws {ProxyError} `bad_frame`: the message is shorter than 5 bytes or sets undefined flags.
 */
export function decodeChunk(message: ArrayBuffer): Chunk {
  if (message.byteLength < HEAD_BYTES) {
    throw new ProxyError("bad_frame", "A binary frame needs 4 bytes of id and 1 byte of flags");
  }
  const view = new DataView(message);
  const flags = view.getUint8(HEAD_BYTES - 1);
  if (flags > FIN) {
    throw new ProxyError("bad_frame", "A binary frame may set no flag but bit 0 (FIN)");
  }
  return {
    id: view.getUint32(0),
    fin: flags === FIN,
    payload: new Uint8Array(message, HEAD_BYTES),
  };
}

/**
 * Reads a response body whole, and not a byte further than it may be.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { type HeaderPairs, ProxyError } from "../../protocol/mod.ts";
import { findField } from "../../forward/headers.ts";

/**
 * Gives the body's bytes.
 *
 * @param maxBytes Of the decoded body.
 * @param length What {@linkcode declaredLength} gives for the response.
 * @throws {ProxyError} `http_response_body_size`: there is more than `maxBytes`; the rest is not read.
 * @throws {TypeError} What fetch says of a body that broke off.
 */
export async function readBody(
  response: Response,
  maxBytes: number,
  length = declaredLength([...response.headers]),
): Promise<Uint8Array<ArrayBuffer>> {
  if (length === undefined) return await readCounted(response, maxBytes);
  // HTTP itself ends a body at its declared length, so this needs no counting.
  if (length <= maxBytes) return await response.bytes();
  await response.body?.cancel();
  throw tooLarge(maxBytes);
}

async function readCounted(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readChunks(response, maxBytes)) chunks.push(chunk.slice());
  return concat(chunks);
}

// As much as fetch gives at a time.
const READ_BYTES = 65_536;

/**
 * Gives the body's bytes as they come. A chunk is good until the next is asked for: the same memory serves
 * them all, as a long stream would else leave as much garbage as it has bytes. Leaving early cancels the
 * body.
 *
 * @param maxBytes Of the decoded body, all in all.
 * @throws As {@linkcode readBody} does.
 */
export async function* readChunks(
  response: Response,
  maxBytes: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = response.body?.getReader({ mode: "byob" });
  if (reader === undefined) return;
  let length = 0;
  let memory = new ArrayBuffer(READ_BYTES);
  try {
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(memory));
      if (done || value === undefined) return;
      length += value.byteLength;
      if (length > maxBytes) throw tooLarge(maxBytes);
      yield value;
      memory = value.buffer;
    }
  } finally {
    // Of a body that has ended or broken there is nothing to cancel.
    reader.cancel().catch(() => {});
  }
}

/**
 * Gives the length that the body has for certain. A `content-length` beside chunks does not count (RFC 9112 §6.3),
 * nor does one beside a content coding, which fetch may have taken off: `undefined`.
 */
export function declaredLength(headers: HeaderPairs): number | undefined {
  const value = findField(headers, "content-length");
  if (value === undefined || !/^\d{1,15}$/.test(value)) return undefined;
  const isUncertain = findField(headers, "transfer-encoding") !== undefined ||
    findField(headers, "content-encoding") !== undefined;
  return isUncertain ? undefined : Number(value);
}

/** Says that a body has more bytes than it may have. */
export function tooLarge(maxBytes: number): ProxyError {
  return new ProxyError(
    "http_response_body_size",
    `The response body is larger than ${maxBytes} bytes`,
  );
}

/**
 * The body of a `fetch` response.
 *
 * @module
 */
import type { HeaderPairs } from "../../protocol/mod.ts";
import { type Body, type Bytes, collect, limitChunks } from "../body.ts";
import { tooLarge } from "../failures.ts";
import { findField } from "../grammar.ts";

// As much as fetch returns at a time.
const READ_BYTES = 65_536;

/** Returns the body of a response; what reading throws is what `fetch` throws, but for its size. */
export function toFetchBody(response: Response, headers: HeaderPairs): Body {
  const length = declaredLength(headers);
  return {
    length,
    isHere: false,
    async bytes(maxBytes): Promise<Bytes> {
      if (length === undefined) return await collect(limitChunks(readChunks(response), maxBytes));
      // HTTP itself ends a body at its declared length, so this needs no counting.
      if (length <= maxBytes) return await response.bytes();
      await response.body?.cancel();
      throw tooLarge(maxBytes);
    },
    chunks: (maxBytes) => limitChunks(readChunks(response), maxBytes),
    discard(): void {
      // A body that is being read cannot be cancelled here; its reader ends it.
      if (response.body?.locked === false) response.body.cancel().catch(() => {});
    },
  };
}

/**
 * Returns the length that the body has for certain. A `content-length` beside chunks is not valid (RFC 9112 §6.3), nor
 * is one beside a content coding, which fetch may have taken off: `undefined`.
 */
export function declaredLength(headers: HeaderPairs): number | undefined {
  const value = findField(headers, "content-length");
  if (value === undefined || !/^\d{1,15}$/.test(value)) return undefined;
  const isUncertain = findField(headers, "transfer-encoding") !== undefined ||
    findField(headers, "content-encoding") !== undefined;
  return isUncertain ? undefined : Number(value);
}

/** The same memory serves every chunk: a long stream would otherwise leave as much garbage as it has bytes. */
async function* readChunks(response: Response): AsyncGenerator<Bytes> {
  const reader = response.body?.getReader({ mode: "byob" });
  if (reader === undefined) return;
  let memory = new ArrayBuffer(READ_BYTES);
  try {
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(memory));
      if (done || value === undefined) return;
      yield value;
      memory = value.buffer;
    }
  } finally {
    // Of a body that has ended or broken there is nothing to cancel.
    reader.cancel().catch(() => {});
  }
}

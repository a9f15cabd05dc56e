/**
 * The body of a `fetch` response.
 *
 * @module
 */
import type { HeaderPairs } from "../../protocol/mod.ts";
import { type Body, ByteLimit, type Bytes, collectChunks } from "../body.ts";
import { tooLarge } from "../failures.ts";
import { findField } from "../grammar.ts";
import type { KeptBytes } from "../kept_bytes.ts";

// As much as fetch returns at a time.
const READ_BYTES = 65_536;

/** The body of a `fetch` response. Except when it is too large, reading throws what `fetch` throws. */
export class FetchBody implements Body {
  readonly length: number | undefined;
  readonly isHere = false;
  readonly #response: Response;
  #reader: ReadableStreamBYOBReader | undefined = undefined;

  /** @param headers The fields of the response. */
  constructor(response: Response, headers: HeaderPairs) {
    this.length = declaredLength(headers);
    this.#response = response;
  }

  async bytes(maxBytes: number, kept?: KeptBytes): Promise<Bytes> {
    if (this.length === undefined) {
      return await collectChunks(this.chunks(maxBytes), maxBytes, { kept });
    }
    if (this.length <= maxBytes) {
      const waiting = kept?.take(this.length);
      if (waiting !== undefined) await waiting;
      return await this.#response.bytes(); // HTTP itself ends a body at its declared length
    }
    await this.#response.body?.cancel();
    throw tooLarge(maxBytes);
  }

  /** Reuses one buffer for all chunks: a long stream would otherwise leave as much garbage as it has bytes. */
  async *chunks(maxBytes: number): AsyncGenerator<Bytes> {
    const reader = this.#reader = this.#response.body?.getReader({ mode: "byob" });
    if (reader === undefined) return;
    const limit = new ByteLimit(maxBytes);
    let memory = new ArrayBuffer(READ_BYTES);
    try {
      for (;;) {
        const { done, value } = await reader.read(new Uint8Array(memory));
        if (done || value === undefined) return;
        limit.add(value.byteLength);
        yield value;
        memory = value.buffer;
      }
    } finally {
      this.discard();
    }
  }

  discard(): void {
    const body = this.#reader ?? this.#response.body;
    body?.cancel().catch(() => {}); // rejects while `bytes` reads the body, and when the body has failed
  }
}

/**
 * Returns the length that a body has for certain. Beside `transfer-encoding` a `content-length` is not valid
 * (RFC 9112 §6.3), and beside `content-encoding` it may be that of a body which `fetch` has decoded: `undefined`.
 */
export function declaredLength(headers: HeaderPairs): number | undefined {
  const value = findField(headers, "content-length");
  if (value === undefined || !/^\d{1,15}$/.test(value)) return undefined;
  const isUncertain = findField(headers, "transfer-encoding") !== undefined ||
    findField(headers, "content-encoding") !== undefined;
  return isUncertain ? undefined : Number(value);
}

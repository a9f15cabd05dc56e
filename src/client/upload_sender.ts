/**
 * Sends the body of a request in chunks, within the credit that the server grants.
 *
 * @module
 */
import { encodeChunk, MAX_CHUNK_BYTES } from "../protocol/mod.ts";
import type { ExchangeConnection } from "./queued_exchange.ts";

/** The source of a body's bytes, such as the reader of a stream. */
export interface BodySource {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
  cancel(reason?: unknown): Promise<void>;
}

/** The upload of one request body. */
export class UploadSender {
  readonly #source: BodySource;
  #creditBytes = 0;
  #isStopped = false;
  #wake = (): void => {};

  constructor(source: BodySource) {
    this.#source = source;
  }

  /**
   * Sends the body as chunks of the exchange `id`.
   *
   * @throws {TypeError} A chunk of the source is not a `Uint8Array`.
   * @throws The error of the source. After `stop()` nothing is thrown.
   */
  async send(id: number, { limits, send }: ExchangeConnection): Promise<void> {
    this.#creditBytes += limits.windowBytes;
    try {
      for (;;) {
        const { done, value } = await this.#source.read();
        if (this.#isStopped) return;
        if (done) break;
        if (!(value instanceof Uint8Array)) throw new TypeError("Body chunks must be Uint8Array");
        let rest = new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
        while (rest.byteLength > 0) {
          if (this.#creditBytes === 0) await new Promise<void>((resolve) => this.#wake = resolve);
          if (this.#isStopped) return;
          const size = Math.min(rest.byteLength, MAX_CHUNK_BYTES, this.#creditBytes);
          this.#creditBytes -= size;
          send(encodeChunk({ id, payload: rest.subarray(0, size), fin: false }));
          rest = rest.subarray(size);
        }
      }
      this.#isStopped = true;
      send(encodeChunk({ id, payload: new Uint8Array(), fin: true }));
    } catch (error) {
      if (!this.#isStopped) throw error;
    }
  }

  /** Adds credit from the server. */
  grant(bytes: number): void {
    this.#creditBytes += bytes;
    if (this.#creditBytes > 0) this.#wake();
  }

  /** Stops sending and cancels the source, unless all of the body was sent. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#wake();
    this.#source.cancel().catch(() => {}); // the rest of the body is not needed
  }
}

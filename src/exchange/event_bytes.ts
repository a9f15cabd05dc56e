/**
 * The bytes of an event that is not complete yet.
 *
 * @module
 */
import type { Bytes } from "../http/body.ts";
import type { KeptBytes } from "../http/kept_bytes.ts";

/** The bytes that a stream may keep without counting them. A longer text is handed on as bytes. */
export const FREE_BYTES = 16_384;
const MIN_BYTES = 256;

/** Bytes in one growing piece of memory, outside V8's heap. */
export class EventBytes {
  bytes: Bytes = new Uint8Array();
  /** How many bytes are in use. */
  length = 0;
  readonly #memory: KeptBytes | undefined;
  /** The number of bytes that most events fit in. */
  readonly #usualBytes: number;
  #taken = 0;
  #isLent = false;

  constructor(usualBytes: number, memory: KeptBytes | undefined) {
    this.#usualBytes = usualBytes;
    this.#memory = memory;
  }

  /**
   * Makes room for more bytes. Returns a promise when memory has to be waited for.
   *
   * @throws What {@linkcode KeptBytes.take} throws, as a rejection or directly.
   */
  reserve(more: number): Promise<void> | undefined {
    const needed = this.length + more;
    if (needed <= this.bytes.byteLength) return undefined;
    const doubled = 2 * this.length; // so that a long event is not copied with every piece
    const most = [FREE_BYTES, this.#usualBytes].find((bytes) => needed <= bytes) ?? Infinity;
    const size = Math.max(needed, Math.min(doubled, most), MIN_BYTES);
    const wanted = Math.max(0, size - FREE_BYTES - this.#taken);
    const taking = wanted > 0 ? this.#memory?.take(wanted) : undefined;
    if (taking !== undefined) return taking.then(() => this.#grow(size, wanted));
    this.#grow(size, wanted);
    return undefined;
  }

  /** Appends a part of other bytes, for which there is room. */
  append(source: Bytes, start: number, end: number): void {
    const { length } = this;
    this.length += end - start;
    if (end - start === 1) this.bytes[length] = source[start] ?? 0;
    else if (end > start) this.bytes.set(source.subarray(start, end), length);
  }

  /** Returns a part of the bytes, which are not changed until {@linkcode EventBytes.reclaim}. */
  lend(start: number, end: number): Bytes {
    this.#isLent = true;
    return this.bytes.subarray(start, end);
  }

  /** Drops all bytes if some were lent. */
  reclaim(): void {
    if (!this.#isLent) return;
    this.#isLent = false;
    this.clear();
  }

  /** Drops all bytes. Memory that was taken is freed at once, and given back. */
  clear(): void {
    this.length = 0;
    if (this.bytes.byteLength <= FREE_BYTES) return;
    this.bytes.buffer.transfer(0);
    this.bytes = new Uint8Array();
    if (this.#taken > 0) this.#memory?.give(this.#taken);
    this.#taken = 0;
  }

  #grow(size: number, taken: number): void {
    this.#taken += taken;
    this.bytes = new Uint8Array(this.bytes.buffer.transfer(size)); // frees the memory before
  }
}

/**
 * Collects a body of unknown length in one piece of memory.
 *
 * @module
 */
import type { KeptBytes } from "./kept_bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes that are added piece by piece. The memory doubles, so that a long body is not copied with every piece. */
export class GrownBytes {
  readonly #maxBytes: number;
  readonly #kept: KeptBytes | undefined;
  #memory: Bytes = new Uint8Array();
  #length = 0;

  /**
   * @param maxBytes No more will be added: the memory does not grow beyond it.
   * @param kept Counts the memory. Default: nothing counts it.
   */
  constructor(maxBytes: number, kept?: KeptBytes) {
    this.#maxBytes = maxBytes;
    this.#kept = kept;
  }

  /** Adds a copy of the piece. Returns a promise when the memory has to wait; then the piece must stay as it is. */
  add(piece: Uint8Array): void | Promise<void> {
    const needed = this.#length + piece.byteLength;
    const { length } = this.#memory;
    if (needed <= length) return this.#append(piece);
    const grown = Math.max(needed, Math.min(2 * this.#length, this.#maxBytes));
    const waiting = this.#kept?.take(grown - length);
    return waiting === undefined
      ? this.#growAndAppend(grown, piece)
      : waiting.then(() => this.#growAndAppend(grown, piece));
  }

  /** Returns all bytes that were added. */
  whole(): Bytes {
    return this.#length === this.#memory.length
      ? this.#memory
      : this.#memory.subarray(0, this.#length);
  }

  #growAndAppend(length: number, piece: Uint8Array): void {
    // Frees the old memory at once: the collector may be slow.
    this.#memory = new Uint8Array(this.#memory.buffer.transfer(length));
    this.#append(piece);
  }

  #append(piece: Uint8Array): void {
    this.#memory.set(piece, this.#length);
    this.#length += piece.byteLength;
  }
}

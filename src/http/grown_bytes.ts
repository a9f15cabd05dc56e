/**
 * Collects a body of unknown length.
 *
 * @module
 */
import type { Turns } from "../turns/turns.ts";
import type { KeptBytes } from "./kept_bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

// Blocks grow with the body up to a size that is copied in a millisecond or two, first use of the memory included.
const [MIN_BLOCK_BYTES, MAX_BLOCK_BYTES] = [16_384, 524_288] as const;
/** A body that is longer takes all that it may need at once: bodies that each have a part would wait for each other. */
export const SHORT_BYTES = 262_144;
const MOST_AT_ONCE_BYTES = 67_108_864;
// What a byte of new memory costs, in bytes that are decoded in the time that it takes.
const NEW_MEMORY_COST = 2;
// A body of a piece or two like this waits for no other work.
const SHORT_PIECE_BYTES = 16_384;

/**
 * Called after a piece of a body was written to new memory. Returns a promise when the next piece has to wait for a turn.
 *
 * @param turns Default: nothing waits.
 */
export function takeTurn(pieceBytes: number, turns: Turns | undefined): Promise<void> | undefined {
  if (pieceBytes < SHORT_PIECE_BYTES) return undefined;
  return turns?.take(NEW_MEMORY_COST * pieceBytes);
}

/**
 * Bytes that are added piece by piece. They are kept in blocks, so that no step copies much, and a long body needs the
 * memory of a block more than its length.
 */
export class GrownBytes {
  readonly #maxBytes: number;
  readonly #kept: KeptBytes | undefined;
  #blocks: Bytes[] = [];
  /** The last block, and how much of it is used. */
  #last: Bytes = new Uint8Array();
  #used = 0;
  #length = 0;
  /** Bytes that were taken, and those of them that blocks have. */
  #taken = 0;
  #allocated = 0;

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
    const rest = this.#fill(piece);
    if (rest.byteLength === 0) return;
    const wanted = Math.min(this.#wantedBytes(), this.#maxBytes - this.#length);
    const size = Math.max(rest.byteLength, wanted);
    const waiting = this.#take(size);
    return waiting === undefined
      ? this.#addBlock(size, rest)
      : waiting.then(() => this.#addBlock(size, rest));
  }

  /** Returns the size of the next block, if what is added does not need more. */
  #wantedBytes(): number {
    if (this.#allocated === 0) return 0; // most bodies that arrive in one piece are short
    const doubled = Math.min(Math.max(MIN_BLOCK_BYTES, this.#length), MAX_BLOCK_BYTES);
    return this.#allocated < SHORT_BYTES
      ? Math.min(doubled, SHORT_BYTES - this.#allocated)
      : doubled;
  }

  /** Takes memory for a block unless it was taken before. */
  #take(size: number): void | Promise<void> {
    const needed = this.#allocated + size;
    if (needed <= this.#taken) return;
    const isLong = needed > SHORT_BYTES && this.#maxBytes <= MOST_AT_ONCE_BYTES;
    const bytes = (isLong ? Math.max(needed, this.#maxBytes) : needed) - this.#taken;
    this.#taken += bytes;
    return this.#kept?.take(bytes);
  }

  /**
   * Returns all bytes that were added; to be called once. The blocks are freed.
   *
   * @param turns When the bytes of several blocks may be copied. Default: at once.
   */
  whole(turns?: Turns): Bytes | Promise<Bytes> {
    if (this.#blocks.length > 1) return this.#join(turns);
    this.#giveRest(this.#allocated);
    return this.#last.subarray(0, this.#used);
  }

  /** Copies into the last block. Returns what does not fit. */
  #fill(piece: Uint8Array): Uint8Array {
    const count = Math.min(piece.byteLength, this.#last.byteLength - this.#used);
    if (count > 0) this.#last.set(piece.subarray(0, count), this.#used);
    this.#used += count;
    this.#length += count;
    return count === 0 ? piece : piece.subarray(count);
  }

  #addBlock(size: number, rest: Uint8Array): void {
    this.#last = new Uint8Array(size);
    this.#used = 0;
    this.#allocated += size;
    this.#blocks.push(this.#last);
    this.#fill(rest);
  }

  /** The system provides the memory of the whole as it is written, while that of the blocks is freed. */
  async #join(turns: Turns | undefined): Promise<Bytes> {
    const whole = new Uint8Array(this.#length);
    const isShort = this.#length < 2 * SHORT_PIECE_BYTES;
    let at = 0;
    for (const block of this.#blocks) {
      const used = block === this.#last ? this.#used : block.byteLength;
      const waiting = isShort ? undefined : turns?.take(NEW_MEMORY_COST * used);
      if (waiting !== undefined) await waiting;
      whole.set(block.subarray(0, used), at);
      at += used;
      block.buffer.transfer(0); // the collector may be slow
    }
    this.#giveRest(this.#length);
    this.#blocks = [];
    return whole;
  }

  /** Ends the count of memory beyond the bytes that are needed. */
  #giveRest(bytes: number): void {
    if (this.#taken > bytes) this.#kept?.give(this.#taken - bytes);
    this.#taken = bytes;
  }
}

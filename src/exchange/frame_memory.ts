/**
 * Counts the memory of a body that is delivered whole.
 *
 * @module
 */
import { SHORT_BYTES } from "../http/grown_bytes.ts";
import type { KeptBytes } from "../http/kept_bytes.ts";
import type { MemoryHold } from "../limits/memory_account.ts";

// The body, the text of its frame, and the bytes of the frame that wait to be sent: taken together, because exchanges that
// each have a part of what they need would wait for each other.
const COPIES = 3;

/** Takes the memory of a body and of its frame. */
export class FrameMemory implements KeptBytes {
  readonly #memory: MemoryHold;
  readonly #maxBytes: number;
  #bodyBytes = 0;

  /** @param maxBytes The most bytes that the body may have. */
  constructor(memory: MemoryHold, maxBytes: number) {
    this.#memory = memory;
    this.#maxBytes = maxBytes;
  }

  take(bytes: number, isNative = false): void | Promise<void> {
    if (!isNative) {
      this.#bodyBytes += bytes;
      return this.#memory.take(COPIES * bytes);
    }
    // A decoder whose window grows does not wait for bodies that wait for this one.
    if (this.#bodyBytes > SHORT_BYTES) return this.#memory.keepNative(bytes);
    // Windows leave room for a body: if they took all, each would wait for others to end, and none would.
    const spare = bytes > SHORT_BYTES ? COPIES * this.#maxBytes : 0;
    return this.#memory.take(bytes, true, spare);
  }

  give(bytes: number): void {
    this.#memory.give(COPIES * bytes);
  }
}

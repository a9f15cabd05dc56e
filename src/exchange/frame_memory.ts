/**
 * Counts the memory of a body that is delivered whole.
 *
 * @module
 */
import type { KeptBytes } from "../http/kept_bytes.ts";
import type { MemoryHold } from "../limits/memory_account.ts";

// The body, the text of its frame, and the bytes of the frame that wait to be sent: taken together, because exchanges that
// each have a part of what they need would wait for each other.
const COPIES = 3;

/** Takes the memory of a body and of its frame. */
export class FrameMemory implements KeptBytes {
  readonly #memory: MemoryHold;

  constructor(memory: MemoryHold) {
    this.#memory = memory;
  }

  take(bytes: number, isNative = false): void | Promise<void> {
    return this.#memory.take(isNative ? bytes : COPIES * bytes, isNative);
  }

  give(bytes: number): void {
    this.#memory.give(COPIES * bytes);
  }
}

/**
 * Lets several isolates write to one stream without mixing their lines. Deno runs one write at a time, but a
 * non-blocking stream that is nearly full accepts only a part of it: without turns, a line of another isolate could
 * follow that part.
 *
 * @module
 */
import type { WriteSync } from "./output.ts";

/** An isolate's access to the state that all isolates with the same stream share. */
export interface OutputTurn {
  /**
   * Shared memory of one number. 0: the stream is free; n: isolate n is writing; -n: the stream is full, and isolate
   * n continues once the stream accepts more.
   */
  readonly turn: Int32Array<ArrayBufferLike>;
  /** The number of this isolate, above 0. */
  readonly self: number;
}

const FREE = 0;
const LINE_FEED = 10;
// A write blocks for as long as the reader does; an isolate that was terminated while writing never ends its turn.
const MAX_WAIT_MS = 1000;

/**
 * Returns a {@linkcode WriteSync} that waits for its turn, and ends the turn when a write ends with a complete line.
 * Otherwise the isolate keeps the turn, and its next write must continue the line.
 *
 * @throws {Deno.errors.WouldBlock} The stream is full, or another isolate has the turn; to be tried again later.
 */
export function createSharedOutput({ turn, self }: OutputTurn, writeSync: WriteSync): WriteSync {
  const [writing, waiting] = [self, -self];

  function begin(): void {
    const previous = Atomics.compareExchange(turn, 0, FREE, writing);
    if (previous === FREE) return;
    if (previous === waiting) return void Atomics.store(turn, 0, writing);
    // A full stream may stay full: blocking this isolate until its reader goes on would stop all its connections.
    if (previous < 0 || Atomics.wait(turn, 0, previous, MAX_WAIT_MS) === "timed-out") {
      throw new Deno.errors.WouldBlock("Another isolate is writing");
    }
    begin();
  }

  function end(state: number): void {
    Atomics.store(turn, 0, state);
    Atomics.notify(turn, 0);
  }

  return function write(bytes): number {
    begin();
    try {
      const written = writeSync(bytes);
      end(written === bytes.length && bytes.at(-1) === LINE_FEED ? FREE : waiting);
      return written;
    } catch (error) {
      end(error instanceof Deno.errors.WouldBlock ? waiting : FREE);
      throw error;
    }
  };
}

/** Frees the stream if an isolate that was terminated still has the turn. */
export function endTurn({ turn, self }: OutputTurn): void {
  for (const state of [self, -self]) Atomics.compareExchange(turn, 0, state, FREE);
  Atomics.notify(turn, 0);
}

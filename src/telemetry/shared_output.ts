/**
 * Lets several isolates write to one stream without mixing their lines. A long write to a pipe is not atomic, and a
 * non-blocking stream that is nearly full accepts only a part: without turns, a line of another isolate could follow it.
 *
 * @module
 */
import type { LogStream } from "./output.ts";

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

/**
 * Returns a {@linkcode LogStream} that writes in turn, and ends the turn when a write ends with a complete line.
 * Otherwise the isolate keeps the turn, and its next write must continue the line.
 *
 * Its methods fail with `Deno.errors.WouldBlock` also when another isolate has the turn.
 */
export function createSharedOutput({ turn, self }: OutputTurn, stream: LogStream): LogStream {
  const [writing, waiting] = [self, -self];

  function begin(): void {
    const previous = Atomics.compareExchange(turn, 0, FREE, writing);
    if (previous === FREE) return;
    // Its write lasts as long as the reader likes: waiting for it would stop all connections of this isolate.
    if (previous !== waiting) throw new Deno.errors.WouldBlock("Another isolate is writing");
    Atomics.store(turn, 0, writing);
  }

  function end(bytes: Uint8Array, written: number): number {
    const isComplete = written === bytes.length && bytes.at(-1) === LINE_FEED;
    Atomics.store(turn, 0, isComplete ? FREE : waiting);
    return written;
  }

  function fail(error: unknown): never {
    Atomics.store(turn, 0, error instanceof Deno.errors.WouldBlock ? waiting : FREE);
    throw error;
  }

  return {
    async write(bytes): Promise<number> {
      begin();
      try {
        return end(bytes, await stream.write(bytes));
      } catch (error) {
        return fail(error);
      }
    },
    writeSync(bytes): number {
      begin();
      try {
        return end(bytes, stream.writeSync(bytes));
      } catch (error) {
        return fail(error);
      }
    },
  };
}

/** Frees the stream if an isolate that was terminated still has the turn. */
export function endTurn({ turn, self }: OutputTurn): void {
  for (const state of [self, -self]) Atomics.compareExchange(turn, 0, state, FREE);
}

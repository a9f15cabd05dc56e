/**
 * Turns at one stream that several isolates write to. Deno lets one of them write at a time; but a stream that does
 * not block takes a part when it is nearly full, and the lines of another would follow that part.
 *
 * @module
 */

/** What isolates share to write in turns. */
export interface TurnsOptions {
  /** One number of shared memory: 0, or whose turn it is. */
  readonly turn: Int32Array<ArrayBufferLike>;
  /** This isolate's number, above 0. */
  readonly self: number;
}

const NOBODY = 0;
const LINE_END = 10;
// Another's write takes as long as the reader does; an isolate that was ended in its turn gives it back never.
const MAX_WAIT_MS = 1000;

/**
 * Gives a `writeSync` that waits for its turn, and ends it with the end of a line. What was taken in part, and what
 * is part of a line, has to be followed by the rest.
 *
 * @throws {Deno.errors.WouldBlock} It is the turn of another, whose stream is full: to be tried again later.
 */
export function createTurns(
  { turn, self }: TurnsOptions,
  writeSync: (bytes: Uint8Array) => number,
): (bytes: Uint8Array) => number {
  // Whoever waits for room in the stream holds the turn, but nobody need wait for it.
  const [writing, waiting] = [self, -self];

  function begin(): void {
    const previous = Atomics.compareExchange(turn, 0, NOBODY, writing);
    if (previous === NOBODY) return;
    if (previous === waiting) return void Atomics.store(turn, 0, writing);
    if (previous < 0 || Atomics.wait(turn, 0, previous, MAX_WAIT_MS) === "timed-out") {
      throw new Deno.errors.WouldBlock("Another writes");
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
      end(written === bytes.length && bytes.at(-1) === LINE_END ? NOBODY : waiting);
      return written;
    } catch (error) {
      end(error instanceof Deno.errors.WouldBlock ? waiting : NOBODY);
      throw error;
    }
  };
}

/** Gives back the turn of an isolate that has ended, if it was its turn. */
export function endTurn({ turn, self }: TurnsOptions): void {
  for (const state of [self, -self]) Atomics.compareExchange(turn, 0, state, NOBODY);
  Atomics.notify(turn, 0);
}

/**
 * Lets one of several isolates at a time do what has to be done in one piece.
 *
 * @module
 */

/** What the isolates share. */
export interface MutexOptions {
  /** One number of shared memory: 0, or who is at it. */
  readonly word: Int32Array<ArrayBufferLike>;
  /** This isolate's number, above 0. */
  readonly self: number;
}

/** Does something in one piece; it must be short, and wait for nothing. */
export type Mutex = <T>(action: () => T) => T;

const NOBODY = 0;
// What is done in one piece takes less than a sleep and a wake-up do.
const MAX_TRIES = 100;
// Whoever is at it for so long has died of it.
const MAX_WAIT_MS = 1000;

/** Creates a {@linkcode Mutex}. */
export function createMutex({ word, self }: MutexOptions): Mutex {
  function enter(): void {
    for (let tries = 1;; tries++) {
      const holder = Atomics.compareExchange(word, 0, NOBODY, self);
      if (holder === NOBODY) return;
      if (tries < MAX_TRIES || Atomics.wait(word, 0, holder, MAX_WAIT_MS) !== "timed-out") continue;
      if (Atomics.compareExchange(word, 0, holder, self) === holder) return;
    }
  }

  return (action) => {
    enter();
    try {
      return action();
    } finally {
      Atomics.store(word, 0, NOBODY);
      Atomics.notify(word, 0, 1);
    }
  };
}

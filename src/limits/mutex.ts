/**
 * A lock in memory that several isolates share.
 *
 * @module
 */

/** Runs an action while no other isolate runs one. The action must be short and must not wait. */
export type Mutex = <T>(action: () => T) => T;

const UNLOCKED = 0;
// An action takes less time than putting a thread to sleep and waking it up.
const MAX_TRIES = 100;
// An isolate that holds the lock for longer has ended inside its action.
const MAX_WAIT_MS = 1000;

/**
 * Creates a {@linkcode Mutex}.
 *
 * @param word One number in shared memory: 0, or the number of the isolate that holds the lock.
 * @param owner This isolate's number, above 0.
 */
export function createMutex(word: Int32Array<ArrayBufferLike>, owner: number): Mutex {
  function lock(): void {
    for (let tries = 1;; tries++) {
      const holder = Atomics.compareExchange(word, 0, UNLOCKED, owner);
      if (holder === UNLOCKED) return;
      if (tries < MAX_TRIES || Atomics.wait(word, 0, holder, MAX_WAIT_MS) !== "timed-out") continue;
      if (Atomics.compareExchange(word, 0, holder, owner) === holder) return;
    }
  }

  return (action) => {
    lock();
    try {
      return action();
    } finally {
      Atomics.store(word, 0, UNLOCKED);
      Atomics.notify(word, 0, 1);
    }
  };
}

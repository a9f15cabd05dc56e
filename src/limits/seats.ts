/**
 * Places for connections, of all identities together, counted for one isolate or for several that share the
 * numbers.
 *
 * @module
 */
import type { Lease } from "./places.ts";

/** The places that there are. */
export interface Seats {
  readonly max: number;
  /** Whether there is none left. */
  readonly isFull: boolean;
  /** Takes a place until the lease is disposed of, or gives `undefined` when there is none left. */
  take(): Lease | undefined;
}

/** What is counted where several isolates count together. */
export interface SeatsOptions {
  /** A number for each isolate: how many places it holds. Shared memory, where there are several. */
  readonly counts?: Int32Array<ArrayBufferLike>;
  /** Which of the numbers is this isolate's. */
  readonly index?: number;
}

/** Creates so many places. Each isolate changes its own number only, so that one that dies gives its places back. */
export function createSeats(
  max: number,
  { counts = new Int32Array(1), index = 0 }: SeatsOptions = {},
): Seats {
  return {
    max,
    get isFull(): boolean {
      return countTaken(counts) >= max;
    },
    take(): Lease | undefined {
      Atomics.add(counts, index, 1);
      // Counted first and looked at then: of two isolates that want the last place, none gets one too many.
      if (countTaken(counts) > max) {
        Atomics.sub(counts, index, 1);
        return undefined;
      }
      let held = true;
      return {
        [Symbol.dispose](): void {
          if (held) Atomics.sub(counts, index, 1);
          held = false;
        },
      };
    },
  };
}

/** Gives how many places are taken. */
export function countTaken(counts: Int32Array<ArrayBufferLike>): number {
  let taken = 0;
  for (let index = 0; index < counts.length; index++) taken += Atomics.load(counts, index);
  return taken;
}

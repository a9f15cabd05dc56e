/**
 * Limits the connections of all identities together, in one isolate or in several that share their counts.
 *
 * @module
 */
import { createLease, type Lease } from "./places.ts";

/** The places for connections. */
export interface ConnectionPlaces {
  /** How many places there are. */
  readonly max: number;
  /** Whether all places are taken. */
  readonly isFull: boolean;
  /** Takes a place until the lease is disposed of. Returns `undefined` when all are taken. */
  take(): Lease | undefined;
}

/** How many connections each of several isolates has. */
export interface ConnectionCounts {
  /** One number for each isolate, in shared memory. */
  readonly counts: Int32Array<ArrayBufferLike>;
  /** The index of this isolate's number. */
  readonly index: number;
}

/**
 * Creates `max` places. Each isolate changes its own number only, so that the places of one that ended can
 * be given back.
 *
 * @param shared Default: the counts of this isolate alone.
 */
export function createConnectionPlaces(
  max: number,
  { counts, index }: ConnectionCounts = { counts: new Int32Array(1), index: 0 },
): ConnectionPlaces {
  return {
    max,
    get isFull(): boolean {
      return countConnections(counts) >= max;
    },
    take(): Lease | undefined {
      Atomics.add(counts, index, 1);
      // Added before the check: if two isolates want the last place, at most one of them gets it.
      if (countConnections(counts) > max) {
        Atomics.sub(counts, index, 1);
        return undefined;
      }
      return createLease(() => Atomics.sub(counts, index, 1));
    },
  };
}

/** Returns how many connections the isolates have together. */
export function countConnections(counts: Int32Array<ArrayBufferLike>): number {
  let total = 0;
  for (let index = 0; index < counts.length; index++) total += Atomics.load(counts, index);
  return total;
}

/**
 * The memory that the coordinator and all workers share.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { toLimiterOptions } from "../config/options.ts";
import { allocateLimits, forgetIsolate, type SharedLimits } from "../limits/shared.ts";
import { endTurn } from "../telemetry/turns.ts";

/** What stands in it. */
export interface Shared {
  /** Whose turn it is to write to standard output; 0: nobody's. */
  readonly turn: Int32Array<SharedArrayBuffer>;
  /** The connections of each worker. */
  readonly seats: Int32Array<SharedArrayBuffer>;
  /** What identities use. */
  readonly limits: SharedLimits;
}

/** Creates it for so many workers. */
export function createShared(config: Config, workers: number): Shared {
  const allocate = (length: number): Int32Array<SharedArrayBuffer> =>
    new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
  const size = { isolates: workers, keys: config.MAX_CONNECTIONS };
  const limits = allocateLimits(toLimiterOptions(config), size);
  return { turn: allocate(1), seats: allocate(workers), limits };
}

/** Gives the number, above 0, that a worker has in it. */
export function toSelf(index: number): number {
  return index + 1;
}

/** Gives back whatever a worker held when it ended. */
export function giveBack({ turn, seats, limits }: Shared, index: number): void {
  Atomics.store(seats, index, 0);
  forgetIsolate(limits, index);
  endTurn({ turn, self: toSelf(index) });
}

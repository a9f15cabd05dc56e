/**
 * The memory that the coordinator and all workers share.
 *
 * @module
 */
import { toLimiterOptions } from "../config/options.ts";
import type { Config } from "../config/config.ts";
import { toMemoryBytes } from "../config/memory.ts";
import { allocateLimits, forgetIsolate, type SharedLimits } from "../limits/shared.ts";
import { allocateMemoryNumbers, type MemoryNumbers } from "../service_memory.ts";
import { endTurn } from "../telemetry/shared_output.ts";

/** The memory of one service. Each isolate has a number in it, {@linkcode toIsolateNumber}. */
export interface SharedMemory {
  /** The isolate that may write to standard output; 0: none does. */
  readonly turn: Int32Array<SharedArrayBuffer>;
  /** How many connections each worker has, by its index. */
  readonly connections: Int32Array<SharedArrayBuffer>;
  /** What identities use of their limits. */
  readonly limits: SharedLimits;
  /** The most memory that the process should have, in bytes. */
  readonly memoryBytes: number;
  readonly memory: MemoryNumbers;
}

/**
 * Allocates the memory that so many workers share.
 *
 * @throws {ConfigError} `MEMORY_BYTES` is too little for them.
 */
export function allocateSharedMemory(config: Config, workers: number): SharedMemory {
  const allocate = (length: number): Int32Array<SharedArrayBuffer> =>
    new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
  const size = { isolates: workers, keys: config.MAX_CONNECTIONS };
  const limits = allocateLimits(toLimiterOptions(config), size);
  return {
    turn: allocate(1),
    connections: allocate(workers),
    limits,
    memoryBytes: toMemoryBytes(config, workers),
    memory: allocateMemoryNumbers(workers),
  };
}

/** Returns the number, above 0, of the worker with this index. */
export function toIsolateNumber(index: number): number {
  return index + 1;
}

/** Gives back everything that a worker held when it ended. */
export function releaseWorker(
  { turn, connections, limits, memory }: SharedMemory,
  index: number,
): void {
  Atomics.store(connections, index, 0);
  memory.kept[index] = memory.explained[index] = 0;
  forgetIsolate(limits, index);
  endTurn({ turn, self: toIsolateNumber(index) });
}

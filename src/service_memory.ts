/**
 * The memory of the service: the budget for what is kept for clients, and the watch over what the process really has.
 *
 * @module
 */
import { getHeapStatistics } from "node:v8";
import { systemClock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { toKeptBytes, toMemoryBytes } from "./config/memory.ts";
import type { Connection } from "./connection/connection.ts";
import { MemoryBudget } from "./limits/memory_budget.ts";
import { MemoryWatch } from "./limits/memory_watch.ts";

/** What the isolates of a process tell each other about their memory: one number for each of them. */
export interface MemoryNumbers {
  /** Bytes that are kept for clients. */
  readonly kept: Float64Array<ArrayBufferLike>;
  /** Bytes of the process's memory that the isolate can explain. */
  readonly explained: Float64Array<ArrayBufferLike>;
}

/** The memory of a process, as one of its isolates has it. */
export interface MemoryGroup {
  /** The most memory that the process should have, in bytes. */
  readonly memoryBytes: number;
  readonly numbers: MemoryNumbers;
  /** The index of the isolate's numbers. */
  readonly index: number;
}

/** The budget of an isolate. Disposing of it ends the watch. */
export interface ServiceMemory extends Disposable {
  readonly budget: MemoryBudget;
}

/** Allocates the numbers of so many isolates. */
export function allocateMemoryNumbers(isolates: number): MemoryNumbers {
  const allocate = (): Float64Array<SharedArrayBuffer> =>
    new Float64Array(new SharedArrayBuffer(isolates * Float64Array.BYTES_PER_ELEMENT));
  return { kept: allocate(), explained: allocate() };
}

/**
 * Creates the {@linkcode ServiceMemory} of an isolate with these connections.
 *
 * @param group Default: the isolate is the only one.
 * @throws {ConfigError} `MEMORY_BYTES` is too little.
 */
export function createServiceMemory(
  config: Config,
  connections: ReadonlySet<Connection>,
  group?: MemoryGroup,
): ServiceMemory {
  const { memoryBytes, numbers, index } = group ??
    { memoryBytes: toMemoryBytes(config, 1), numbers: allocateMemoryNumbers(1), index: 0 };
  const maxKeptBytes = toKeptBytes(memoryBytes, numbers.kept.length);
  const budget = new MemoryBudget(maxKeptBytes, systemClock, { bytes: numbers.kept, index });
  const watch = new MemoryWatch({
    maxBytes: memoryBytes,
    maxHeapBytes: getHeapStatistics().heap_size_limit,
    budget,
    connections: () => Array.from(connections, ({ memory }) => memory),
    read: Deno.memoryUsage,
    explained: numbers.explained,
    index,
  }, systemClock);
  return { budget, [Symbol.dispose]: () => watch[Symbol.dispose]() };
}

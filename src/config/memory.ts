/**
 * How much memory the process may have, and how much of it may be kept for clients.
 *
 * @module
 */
import process from "node:process";
import { getHeapStatistics } from "node:v8";
import { ConfigError } from "../config_error.ts";
import type { Config } from "./settings.ts";

/** The memory that the process may have, in bytes. */
export interface AvailableMemory {
  /** Of the machine, or of the control group of the process. */
  readonly bytes: number;
  /** The limit of the heap of each isolate. V8 ends the process when it is reached. */
  readonly heapBytes: number;
}

const MIB = 1024 * 1024;
// What the program takes for itself, for each isolate.
const ISOLATE_BYTES = 96 * MIB;
// The rest of the memory is for what cannot be counted: garbage, copies, and buffers of the runtime.
const KEPT_SHARE = 1 / 2;
const LEAST_KEPT_BYTES = 72 * MIB;
// The part of it that one connection may keep.
const CONNECTION_SHARE = 1 / 3;
// A response that is delivered whole is kept three times: its body, the text of its frame, and the bytes of the frame.
const RESPONSE_COPIES = 3;
// The rest of the machine's memory, or of the container's, is for others.
const DEFAULT_SHARE = 3 / 4;
// V8's own default for the heap is half of the memory.
const HEAP_RATIO = 2;

const PERMISSION = { name: "sys", kind: "systemMemoryInfo" } as const;

/** Reads how much memory the process may have. Without the permission to read it, it is estimated. */
export function readAvailableMemory(): AvailableMemory {
  const heapBytes = getHeapStatistics().heap_size_limit;
  if (Deno.permissions.querySync(PERMISSION).state !== "granted") {
    return { bytes: HEAP_RATIO * heapBytes, heapBytes };
  }
  const limit = process.constrainedMemory();
  const { total } = Deno.systemMemoryInfo();
  return { bytes: limit > 0 ? Math.min(limit, total) : total, heapBytes };
}

/**
 * Returns the most memory that the process should have: `MEMORY_BYTES`, else three quarters of what is available, and no
 * more than the heaps of its isolates may have.
 *
 * @throws {ConfigError} `MEMORY_BYTES` is too little for so many isolates, or for the other limits.
 */
export function toMemoryBytes(
  config: Config,
  isolates: number,
  { bytes, heapBytes }: AvailableMemory = readAvailableMemory(),
): number {
  const least = leastMemory(LEAST_KEPT_BYTES, isolates);
  const byDefault = Math.max(least, Math.min(bytes * DEFAULT_SHARE, heapBytes * isolates));
  const memoryBytes = config.MEMORY_BYTES ?? Math.floor(byDefault);
  const problems = memoryBytes < least
    ? [`MEMORY_BYTES: must be at least ${least}`]
    : findLargeLimits(config, memoryBytes, isolates);
  if (problems.length > 0) throw new ConfigError(problems);
  return memoryBytes;
}

/** Returns how many bytes may be kept for clients. */
export function toKeptBytes(memoryBytes: number, isolates: number): number {
  return Math.floor((memoryBytes - toProgramBytes(isolates)) * KEPT_SHARE);
}

/** Returns what the program takes for itself. Several isolates have one more, their coordinator. */
function toProgramBytes(isolates: number): number {
  return ISOLATE_BYTES * (isolates === 1 ? 1 : isolates + 1);
}

function leastMemory(keptBytes: number, isolates: number): number {
  return Math.ceil(keptBytes / KEPT_SHARE) + toProgramBytes(isolates);
}

/** Returns the limits that are larger than what one connection may keep. */
function findLargeLimits(config: Config, memoryBytes: number, isolates: number): readonly string[] {
  const { MAX_FRAME_BYTES, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, WINDOW_BYTES } = config;
  const max = Math.floor(toKeptBytes(memoryBytes, isolates) * CONNECTION_SHARE);
  const limits = [
    { name: "MAX_FRAME_BYTES", bytes: MAX_FRAME_BYTES, copies: 1 },
    { name: "MAX_REQUEST_BYTES", bytes: MAX_REQUEST_BYTES, copies: 1 },
    { name: "MAX_RESPONSE_BYTES", bytes: MAX_RESPONSE_BYTES, copies: RESPONSE_COPIES },
    { name: "WINDOW_BYTES", bytes: WINDOW_BYTES, copies: 1 },
  ];
  return limits.filter(({ bytes, copies }) => copies * bytes > max)
    .map(({ name, bytes, copies }) => {
      const needed = leastMemory(copies * bytes / CONNECTION_SHARE, isolates);
      return `${name}: must not be above ${
        Math.floor(max / copies)
      }, or MEMORY_BYTES must be at least ${needed}`;
    });
}

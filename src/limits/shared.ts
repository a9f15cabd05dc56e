/**
 * The limits of identities, counted by several isolates together.
 *
 * @module
 */
import type { LimiterOptions } from "./limiter.ts";
import { type CreatePlaces, createPlaces, type PlacesName } from "./places.ts";
import { createSharedPlaces, giveBackPlaces } from "./shared_places.ts";
import { createSharedStore, STORE_COLUMNS } from "./shared_store.ts";
import { allocateTable, type TableMemory } from "./shared_table.ts";
import type { CreateStore, StoreName } from "./store.ts";

/** The memory that isolates count in: a table for each limit that there is. */
export type SharedLimits = Readonly<Partial<Record<PlacesName | StoreName, TableMemory>>>;

/** Who counts. */
export interface SharedLimitsSize {
  readonly isolates: number;
  /** As many identities as may be connected. */
  readonly keys: number;
}

/** What a limiter counts with. */
export interface Counting {
  readonly createPlaces: CreatePlaces;
  readonly createStore: CreateStore;
}

// Of a table of this size each isolate that there may be takes 32 MiB, once all keys have come.
const MAX_KEYS = 2 ** 20;

/** Makes room to count whatever is limited. */
export function allocateLimits(
  { maxConnections, maxInFlight, requestsPerSecond, bytesPerMinute }: LimiterOptions,
  { isolates, keys }: SharedLimitsSize,
): SharedLimits {
  const allocate = (columns: number): TableMemory =>
    allocateTable({ keys: Math.min(keys, MAX_KEYS), columns });
  return {
    ...(maxConnections > 0 && { connections: allocate(isolates) }),
    ...(maxInFlight > 0 && { exchanges: allocate(isolates) }),
    ...(requestsPerSecond > 0 && { requests: allocate(STORE_COLUMNS) }),
    ...(bytesPerMinute > 0 && { bytes: allocate(STORE_COLUMNS) }),
  };
}

/** Gives what counts in that memory; `index` is this isolate's, from 0. */
export function createSharedCounting(limits: SharedLimits, index: number): Counting {
  return {
    createPlaces(max, name): ReturnType<CreatePlaces> {
      const memory = limits[name];
      return memory === undefined ? createPlaces(max) : createSharedPlaces(max, memory, index);
    },
    createStore(options, name): ReturnType<CreateStore> {
      const memory = limits[name];
      if (memory === undefined) throw new TypeError(`There is no room to count ${name}`);
      return createSharedStore(options, memory, index);
    },
  };
}

/** Gives back the places of an isolate that has died; what it has counted over time goes by itself. */
export function forgetIsolate({ connections, exchanges }: SharedLimits, index: number): void {
  for (const memory of [connections, exchanges]) {
    if (memory !== undefined) giveBackPlaces(memory, index);
  }
}

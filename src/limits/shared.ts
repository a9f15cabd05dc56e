/**
 * The limits of identities, counted by several isolates together.
 *
 * @module
 */
import type { LimiterOptions } from "./limiter.ts";
import { type CreatePlaces, createPlaces, type Places, type PlacesName } from "./places.ts";
import { createSharedPlaces, giveBackPlaces } from "./shared_places.ts";
import { createSharedStore, STORE_COLUMNS } from "./shared_store.ts";
import { allocateTable, type TableMemory } from "./shared_table.ts";
import type { CreateStore, Store, StoreName } from "./store.ts";

/** The shared memory: one table for each limit that is set. */
export type SharedLimits = Readonly<Partial<Record<PlacesName | StoreName, TableMemory>>>;

/** How much the shared memory has room for. */
export interface SharedLimitsSize {
  readonly isolates: number;
  /** How many identities and addresses may be connected at a time. */
  readonly keys: number;
}

/** Creates the counters of a limiter. */
export interface Counting {
  readonly createPlaces: CreatePlaces;
  readonly createStore: CreateStore;
}

// A table for more keys would take more than 32 MiB for each isolate once all of them are used.
const MAX_KEYS = 2 ** 20;

/** Allocates the tables of all limits that are set. */
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

/** Returns {@linkcode Counting} in shared memory, for the isolate with this index, from 0. */
export function createSharedCounting(limits: SharedLimits, index: number): Counting {
  return {
    createPlaces(max, name): Places {
      const memory = limits[name];
      return memory === undefined ? createPlaces(max) : createSharedPlaces(max, memory, index);
    },
    createStore(options, name): Store {
      const memory = limits[name];
      if (memory === undefined) throw new TypeError(`No table was allocated to count ${name}`);
      return createSharedStore(options, memory, { index });
    },
  };
}

/** Gives back the places of an isolate that ended. Counts over time end with their windows. */
export function forgetIsolate({ connections, exchanges }: SharedLimits, index: number): void {
  for (const memory of [connections, exchanges]) {
    if (memory !== undefined) giveBackPlaces(memory, index);
  }
}

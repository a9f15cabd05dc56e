/**
 * Counts what keys use over time: in the memory of one isolate, or in memory that several isolates share.
 *
 * @module
 */

/** Whether a key is within its limit. */
export interface StoreDecision {
  readonly allowed: boolean;
  /** Milliseconds until the key may be allowed again; 0 when it is allowed now. */
  readonly retryAfterMs: number;
}

/** Counts points by key in time windows. The window of a key starts with its first points. */
export interface Store extends Disposable {
  /**
   * Adds points to a key, even beyond its limit.
   *
   * @throws The reason why the store cannot count, as a rejection.
   */
  consume(key: string, points: number): Promise<StoreDecision>;
  /**
   * Returns whether a key has points left. Counts nothing.
   *
   * @throws The reason why the store cannot be read, as a rejection.
   */
  peek(key: string): Promise<StoreDecision>;
}

/** How many points a {@linkcode Store} allows each key. */
export interface StoreOptions {
  /** Points per window. */
  readonly points: number;
  /** Length of a window, in milliseconds. */
  readonly durationMs: number;
  /** Points that may be used in addition; they have a window of their own. Default: 0. */
  readonly burst?: number;
  /** Length of the window of the burst, in milliseconds. Default: `durationMs`. */
  readonly burstMs?: number;
}

/** What is counted over time. */
export type StoreName = "requests" | "bytes";

/** Creates a {@linkcode Store}. In shared memory, the name selects the table. */
export type CreateStore = (options: StoreOptions, name: StoreName) => Store;

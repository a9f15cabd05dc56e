/**
 * What counts over time, by key: in one process's memory, or in a store that several share.
 *
 * @module
 */

/** Whether a key may go on. */
export interface Verdict {
  readonly allowed: boolean;
  /** Milliseconds until it may be allowed; 0 when it is. */
  readonly retryAfterMs: number;
}

/** Counts points by key, in windows of time that begin with a key's first points. */
export interface Store extends Disposable {
  /**
   * Counts points against a key, beyond its limit too.
   *
   * @throws What keeps the store from counting, as a rejection.
   */
  consume(key: string, points: number): Promise<Verdict>;
  /**
   * Says whether there is anything left for a key, without counting.
   *
   * @throws What keeps the store from knowing, as a rejection.
   */
  peek(key: string): Promise<Verdict>;
}

/** How much a {@linkcode Store} allows a key. */
export interface StoreOptions {
  /** Points in a window. */
  readonly points: number;
  /** How long a window is, in milliseconds. */
  readonly durationMs: number;
  /** Points beyond that, in a window of their own. Default 0. */
  readonly burst?: number;
  /** How long the window of the burst is, in milliseconds. Default: as long as the other. */
  readonly burstMs?: number;
}

/** What is counted over time. */
export type StoreName = "requests" | "bytes";

/** Creates a {@linkcode Store} that allows so much. */
export type CreateStore = (options: StoreOptions, name: StoreName) => Store;

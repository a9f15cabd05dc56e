/**
 * Counts the bytes of a body that are kept in memory.
 *
 * @module
 */

/** A count of bytes. Its creator subtracts what is left in it at the end. */
export interface KeptBytes {
  /**
   * Called before so many bytes more are kept. Returns a promise when they have to wait for others to be given back.
   *
   * @param isNative Whether V8 does not know of the bytes, so that `Deno.memoryUsage()` does not tell them. Default: no.
   * @throws What ended the wait, as a rejection.
   */
  take(bytes: number, isNative?: boolean): void | Promise<void>;
  /** Subtracts bytes that are no longer kept. */
  give(bytes: number): void;
}

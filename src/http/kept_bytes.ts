/**
 * Counts the bytes of a body that are kept in memory.
 *
 * @module
 */

/** A count of bytes. Whoever has created the object gives back what is left in it. */
export interface KeptBytes {
  /**
   * Called before so many bytes more are kept. Returns a promise when they have to wait for others to be given back.
   *
   * @param isNative Whether V8 does not know of the bytes, so that `Deno.memoryUsage()` does not tell them. Default: no.
   * @throws What ended the wait, as a rejection.
   */
  take(bytes: number, isNative?: boolean): void | Promise<void>;
  /** Gives back a part. */
  give(bytes: number): void;
}

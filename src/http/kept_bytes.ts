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
   * @throws What ended the wait, as a rejection.
   */
  take(bytes: number): void | Promise<void>;
  /** Gives back a part. */
  give(bytes: number): void;
}

/**
 * Time that passes.
 *
 * @module
 */

/** Fulfils after so many milliseconds. */
export function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * Flow control by credit: how many payload bytes one end may still send.
 *
 * @module
 */

/** A number of bytes that can be granted, taken and waited for. */
export class Credit {
  #available: number;
  #isClosed = false;
  #wake: (() => void) | undefined = undefined;

  /** @param bytes The credit to start with; `Infinity` is never used up. */
  constructor(bytes: number) {
    this.#available = bytes;
  }

  /** Adds bytes. */
  grant(bytes: number): void {
    // Beyond this a sum is not exact, and no client receives as much.
    if (this.#available < Number.MAX_SAFE_INTEGER) this.#available += bytes;
    this.#wake?.();
  }

  /** Takes at least one byte and at most `maxBytes`. Returns a promise when there are none; 0 after `close`. */
  take(maxBytes: number): number | Promise<number> {
    if (this.#isClosed) return 0;
    if (this.#available > 0) return this.#takeNow(maxBytes);
    return new Promise((resolve) => {
      this.#wake = (): void => {
        this.#wake = undefined;
        resolve(this.#isClosed ? 0 : this.#takeNow(maxBytes));
      };
    });
  }

  /** Ends every wait: `take` returns 0 from now on. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  #takeNow(maxBytes: number): number {
    const taken = Math.min(this.#available, maxBytes);
    this.#available -= taken;
    return taken;
  }
}

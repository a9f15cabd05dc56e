/**
 * Flow control by credit: how many payload bytes one end may still send.
 *
 * @module
 */

/** A number of bytes that is granted, taken and waited for. */
export interface Credit {
  /** Adds bytes. */
  grant(bytes: number): void;
  /** Takes up to so many bytes, at least one: at once when there are any, else as a promise. */
  take(maxBytes: number): number | Promise<number>;
  /** Lets go of whoever waits: gives 0. */
  close(): void;
}

/** Creates credit of so many bytes; `Infinity`: credit that is never used up. */
export function createCredit(bytes: number): Credit {
  let available = bytes;
  let closed = false;
  let wake: (() => void) | undefined;

  function takeNow(maxBytes: number): number {
    const taken = Math.min(available, maxBytes);
    available -= taken;
    return taken;
  }

  return {
    grant(more: number): void {
      // Beyond this a sum is not exact; nobody receives as much.
      if (available < Number.MAX_SAFE_INTEGER) available += more;
      wake?.();
    },
    take(maxBytes: number): number | Promise<number> {
      if (closed) return 0;
      if (available > 0) return takeNow(maxBytes);
      return new Promise((resolve) => {
        wake = (): void => {
          wake = undefined;
          resolve(closed ? 0 : takeNow(maxBytes));
        };
      });
    },
    close(): void {
      closed = true;
      wake?.();
    },
  };
}

/**
 * Standard output, a line at a time: the lines of a few milliseconds are written at once.
 *
 * @module
 */

/** Takes lines. Nothing here throws. */
export interface Output {
  /** Takes a line without its end. */
  write(line: string): void;
  /** Writes what has been taken. */
  flush(): void;
}

/** What an output works with. */
export interface OutputDeps {
  /** Writes bytes and gives how many it wrote. Default: to standard output. */
  readonly writeSync?: (bytes: Uint8Array) => number;
  /** Calls back soon, so that the lines that come until then share a write. */
  readonly soon?: (action: () => void) => void;
  /** Calls back after a while, to try again. */
  readonly later?: (action: () => void) => void;
}

// As much as a pipe of Linux takes: more in one write saves nothing.
const MAX_TAKEN_LENGTH = 65_536;
// What is kept for a reader that has stopped reading, in UTF-16 units. Further lines are dropped.
const MAX_WAITING_LENGTH = 2 ** 20;
const TRY_AGAIN_MS = 20;
// A write for each turn of the event loop cost a fifth of an exchange's CPU; nobody reads so fast.
const SOON_MS = 10;
// Of lines of ASCII, all that is taken: it is encoded at once, into memory that is used again.
const BUFFER_BYTES = 2 * MAX_TAKEN_LENGTH;
const NOTHING = new Uint8Array();

/**
 * Creates an {@linkcode Output}. Whatever ends the process by `Deno.exit()` flushes it first.
 *
 * A standard output that does not block and is full is tried again later; one that nobody reads is given up.
 */
export function createOutput({
  writeSync = writeToStandardOutput,
  soon = (action) => setTimeout(action, SOON_MS),
  later = (action) => setTimeout(action, TRY_AGAIN_MS),
}: OutputDeps = {}): Output {
  const encoder = new TextEncoder();
  const buffer = new Uint8Array(BUFFER_BYTES);
  let taken = "";
  let unwritten: Uint8Array = NOTHING;
  let scheduled = false;

  function flushLater(schedule: (action: () => void) => void): void {
    if (scheduled) return;
    scheduled = true;
    schedule(() => {
      scheduled = false;
      flush();
    });
  }

  function flush(): void {
    try {
      while (unwritten.length > 0 || taken !== "") {
        if (unwritten.length === 0) {
          const { read, written } = encoder.encodeInto(taken, buffer);
          unwritten = buffer.subarray(0, written);
          taken = taken.slice(read);
        }
        unwritten = unwritten.subarray(writeSync(unwritten));
      }
    } catch (error) {
      if (error instanceof Deno.errors.WouldBlock) return flushLater(later);
      unwritten = NOTHING; // there is no place left to report this to
      taken = "";
    }
  }

  globalThis.addEventListener("unload", flush);

  return {
    write(line): void {
      const isBlocked = unwritten.length > 0;
      if (isBlocked && taken.length > MAX_WAITING_LENGTH) return;
      taken += `${line}\n`;
      if (!isBlocked && taken.length > MAX_TAKEN_LENGTH) flush();
      else flushLater(soon);
    },
    flush,
  };
}

/** Writes bytes to standard output, and gives how many it took. */
export function writeToStandardOutput(bytes: Uint8Array): number {
  return Deno.stdout.writeSync(bytes);
}

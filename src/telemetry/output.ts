/**
 * Standard output, a line at a time: lines that come close together are written at once.
 *
 * @module
 */
import { createLineBuffer, type LineBuffer } from "./line_buffer.ts";

/** Takes things that are a line each. Nothing here throws but what makes lines of them. */
export interface Output {
  write<Thing>(thing: Thing, writeLine: WriteLine<Thing>): void;
  /** Writes what has been taken. */
  flush(): void;
}

/** Puts the line of a thing behind others, with its end. */
export type WriteLine<Thing> = (thing: Thing, lines: LineBuffer) => void;

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
const MAX_TAKEN_BYTES = 65_536;
// What is kept for a reader that has stopped reading. Further lines are dropped.
const MAX_WAITING_BYTES = 2 ** 20;
const TRY_AGAIN_MS = 20;
// A timer costs as much as dozens of lines. Of a busy service it is bytes that make a write.
const SOON_MS = 50;

/**
 * Creates an {@linkcode Output}. Whatever ends the process by `Deno.exit()` flushes it first.
 *
 * A standard output that does not block and is full is tried again later; one that nobody reads is given up.
 */
export function createOutput(
  {
    writeSync = writeToStandardOutput,
    soon = (action) => setTimeout(action, SOON_MS),
    later = (action) => setTimeout(action, TRY_AGAIN_MS),
  }: OutputDeps = {},
): Output {
  const lines = createLineBuffer();
  let isBlocked = false;
  let isScheduled = false;

  function flushLater(schedule: (action: () => void) => void): void {
    if (isScheduled) return;
    isScheduled = true;
    schedule(() => {
      isScheduled = false;
      flush();
    });
  }

  function flush(): void {
    isBlocked = false;
    try {
      while (lines.length > 0) lines.shift(writeSync(lines.waiting()));
    } catch (error) {
      isBlocked = error instanceof Deno.errors.WouldBlock;
      if (isBlocked) return flushLater(later);
      lines.shift(lines.length); // there is no place left to report this to
    }
  }

  globalThis.addEventListener("unload", flush);

  return {
    write(thing, writeLine): void {
      if (isBlocked && lines.length > MAX_WAITING_BYTES) return;
      writeLine(thing, lines);
      if (!isBlocked && lines.length > MAX_TAKEN_BYTES) flush();
      else flushLater(soon);
    },
    flush,
  };
}

/** Writes bytes to standard output, and gives how many it took. */
export function writeToStandardOutput(bytes: Uint8Array): number {
  return Deno.stdout.writeSync(bytes);
}

/**
 * Writes lines to standard output: lines that arrive within a short time share one write.
 *
 * @module
 */
import { type Clock, systemClock } from "../clock.ts";
import { createLineBuffer, type LineBuffer } from "./line_buffer.ts";

/** Writes lines. Its methods throw only what a `writeLine` function throws. */
export interface Output {
  /** Appends a line for `thing`, to be written soon. */
  write<Thing>(thing: Thing, writeLine: WriteLine<Thing>): void;
  /** Writes all lines that are waiting. */
  flush(): void;
}

/** Appends the line of a thing to other lines, with a line feed. */
export type WriteLine<Thing> = (thing: Thing, lines: LineBuffer) => void;

/**
 * Writes bytes to a stream, and returns how many of them it has written.
 *
 * @throws {Deno.errors.WouldBlock} The stream is full; a later attempt may succeed.
 */
export type WriteSync = (bytes: Uint8Array) => number;

// The capacity of a pipe on Linux; larger writes save nothing.
const MAX_WRITE_BYTES = 65_536;
// How much is kept while the reader has stopped reading. Lines beyond that are dropped.
const MAX_WAITING_BYTES = 2 ** 20;
const RETRY_MS = 20;
// A timer costs as much as dozens of lines. In a busy service MAX_WRITE_BYTES is reached first.
const WRITE_AFTER_MS = 50;

/**
 * Creates an {@linkcode Output}. Lines that are waiting when the process ends by itself or by `Deno.exit()` are
 * written first.
 *
 * A full stream is tried again later. When the reader has closed its end, all lines are dropped.
 */
export function createOutput(
  writeSync: WriteSync = writeToStandardOutput,
  clock: Clock = systemClock,
): Output {
  const lines = createLineBuffer();
  let isBlocked = false;
  let isScheduled = false;

  function flushAfter(delayMs: number): void {
    if (isScheduled) return;
    isScheduled = true;
    clock.after(delayMs, () => {
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
      if (isBlocked) return flushAfter(RETRY_MS);
      lines.shift(lines.length); // the log is gone, and with it the place to report the error
    }
  }

  globalThis.addEventListener("unload", flush);

  return {
    write(thing, writeLine): void {
      if (isBlocked && lines.length > MAX_WAITING_BYTES) return;
      writeLine(thing, lines);
      if (!isBlocked && lines.length > MAX_WRITE_BYTES) flush();
      else flushAfter(WRITE_AFTER_MS);
    },
    flush,
  };
}

/** The {@linkcode WriteSync} of standard output. */
export function writeToStandardOutput(bytes: Uint8Array): number {
  return Deno.stdout.writeSync(bytes);
}

/**
 * Writes lines to standard output without waiting for its reader: lines that arrive within a short time share one write,
 * and those that find the buffer full are dropped and counted.
 *
 * @module
 */
import { type Clock, systemClock } from "../clock.ts";
import { createLineBuffer, type LineBuffer } from "./line_buffer.ts";

/** Writes lines. Its methods throw only what a `writeLine` function throws. */
export interface Output {
  /** How many lines were dropped, because the stream is full or has failed. */
  readonly dropped: number;
  /** Appends a line for `thing`, to be written soon. */
  write<Thing>(thing: Thing, writeLine: WriteLine<Thing>): void;
  /** Fulfils when all waiting lines are written, at the latest after a second. */
  flush(): Promise<void>;
}

/** Appends the line of a thing to other lines, with a line feed. */
export type WriteLine<Thing> = (thing: Thing, lines: LineBuffer) => void;

/**
 * A stream of bytes, of which both methods return how many they have written.
 *
 * Both fail with `Deno.errors.WouldBlock` if the stream is full and a later attempt may succeed.
 */
export interface LogStream {
  /** Writes bytes while the event loop goes on. The bytes must not change until the promise has settled. */
  write(bytes: Uint8Array): Promise<number>;
  /** Writes bytes at once. The event loop stands still for as long as the stream is full. */
  writeSync(bytes: Uint8Array): number;
}

/** Settings of an {@linkcode Output}. */
export interface OutputOptions {
  /** Default: standard output. */
  readonly stream?: LogStream;
  /** Called when lines can be written again, with the number of those that were dropped. */
  readonly onDropped?: (lines: number) => void;
  readonly clock?: Clock;
}

// The capacity of a pipe on Linux; larger writes save nothing.
const MAX_WRITE_BYTES = 65_536;
// How much is kept while the reader has stopped reading. Lines beyond that are dropped.
const MAX_WAITING_BYTES = 2 ** 20;
const RETRY_MS = 20;
// A write takes as much time as dozens of lines. In a busy service MAX_WRITE_BYTES is reached first.
const WRITE_AFTER_MS = 50;
const FLUSH_MS = 1000;
const LINE_FEED = 10;

/** Standard output. A full pipe blocks a thread of Deno's, and not the event loop, which only `writeSync` does. */
export const standardOutput: LogStream = {
  write: (bytes) => Deno.stdout.write(bytes),
  writeSync: (bytes) => Deno.stdout.writeSync(bytes),
};

/**
 * Creates an {@linkcode Output}. Lines that are waiting when the process ends by itself or by `Deno.exit()` are
 * written first, unless a write is under way, whose stream may never accept more.
 *
 * When a write fails, as it does when the disk is full or the reader has gone, its lines are dropped, and later lines
 * are tried again.
 */
export function createOutput(
  { stream = standardOutput, onDropped = () => {}, clock = systemClock }: OutputOptions = {},
): Output {
  let lines = createLineBuffer();
  let spare = createLineBuffer(); // what is being written must not change
  let writing: Promise<void> | undefined;
  let isScheduled = false;
  let flushes = 0;
  let dropped = 0;
  let untold = 0;

  function drop(count: number): void {
    dropped += count;
    untold += count;
  }

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    clock.after(WRITE_AFTER_MS, () => {
      isScheduled = false;
      start();
    });
  }

  function start(): void {
    if (writing !== undefined || lines.length === 0) return;
    writing = writeWaiting().finally(() => {
      writing = undefined;
      if (lines.length > MAX_WRITE_BYTES || flushes > 0 && lines.length > 0) start();
      else if (lines.length > 0) schedule();
    });
  }

  async function writeWaiting(): Promise<void> {
    [lines, spare] = [spare, lines];
    while (spare.length > 0) {
      try {
        spare.shift(await stream.write(spare.waiting()));
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) return dropSpare();
        await new Promise<void>((resolve) => void clock.after(RETRY_MS, resolve));
      }
    }
    tell();
  }

  function dropSpare(): void {
    drop(spare.waiting().filter((byte) => byte === LINE_FEED).length);
    spare.shift(spare.length);
  }

  function tell(): void {
    if (untold === 0 || lines.length > MAX_WAITING_BYTES) return;
    const count = untold;
    untold = 0;
    onDropped(count);
  }

  async function flush(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<"late">();
    const cancel = clock.after(FLUSH_MS, () => resolve("late"));
    flushes++;
    start();
    while (writing !== undefined && await Promise.race([writing, late]) !== "late");
    flushes--;
    cancel();
  }

  function writeLast(): void {
    if (writing !== undefined) return;
    try {
      while (lines.length > 0) lines.shift(stream.writeSync(lines.waiting()));
    } catch {
      lines.shift(lines.length); // the log is gone, and with it the place to report the error
    }
  }

  globalThis.addEventListener("unload", writeLast);

  return {
    get dropped(): number {
      return dropped;
    },
    write(thing, writeLine): void {
      if (lines.length > MAX_WAITING_BYTES) return drop(1);
      writeLine(thing, lines);
      if (lines.length > MAX_WRITE_BYTES) start();
      else schedule();
    },
    flush,
  };
}

/**
 * Where the time of an exchange goes.
 *
 * @module
 */
import type { Timing } from "../protocol/mod.ts";

/** What is known so far, in milliseconds. */
export interface Times {
  /** When the request frame came, by `performance.now()`. */
  readonly startedAt: number;
  /** To where the request could be made. */
  queueMs: number;
  /** What name lookups took; `undefined`: there was none. */
  dnsMs: number | undefined;
  /** To the response head. */
  waitMs: number;
}

/**
 * Gives what a response frame says.
 *
 * @param isWhole The body has been read.
 */
export function toTiming({ startedAt, queueMs, dnsMs, waitMs }: Times, isWhole: boolean): Timing {
  const totalMs = elapsed(startedAt);
  return {
    queueMs,
    ...(dnsMs !== undefined && { dnsMs }),
    waitMs,
    ...(isWhole && { transferMs: round(totalMs - waitMs) }),
    totalMs,
  };
}

/** Milliseconds since then, to the microsecond. */
export function elapsed(startedAt: number): number {
  return round(performance.now() - startedAt);
}

/** Gives milliseconds to the microsecond. */
export function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

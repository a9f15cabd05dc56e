/**
 * Counts in this process's memory: each process allows a key its whole limit.
 *
 * @module
 */
import { BurstyRateLimiter, RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { Store, StoreOptions, Verdict } from "./store.ts";

const ALLOWED: Verdict = { allowed: true, retryAfterMs: 0 };

/**
 * Creates a {@linkcode Store} in memory. A key is forgotten when its windows are over; its timers do not
 * keep the process alive. Once disposed of, the store counts nothing and allows everything, so that what
 * comes late starts no timer.
 */
export function createMemoryStore(
  { points, durationMs, burst = 0, burstMs = durationMs }: StoreOptions,
): Store {
  const rate = createWindow(points, durationMs);
  const windows = burst > 0 ? [rate, createWindow(burst, burstMs)] : [rate];
  const [, spare] = windows;
  const counter = spare === undefined ? rate : new BurstyRateLimiter(rate, spare);
  const longestMs = Math.max(durationMs, burst > 0 ? burstMs : 0);
  let disposed = false;

  function refuse(retryAfterMs: number): Verdict {
    // The windows go by the system's clock: one that was set back would make a wait of hours.
    return {
      allowed: false,
      retryAfterMs: Math.min(Math.max(Math.ceil(retryAfterMs), 1), longestMs),
    };
  }

  return {
    async consume(key: string, count: number): Promise<Verdict> {
      if (disposed) return ALLOWED;
      try {
        await counter.consume(key, count);
        return ALLOWED;
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal;
        return refuse(refusal.msBeforeNext);
      }
    },
    async peek(key: string): Promise<Verdict> {
      let retryAfterMs = Infinity;
      // Not by the counter: it tells how long to wait, but not what is left of the burst.
      for (const window of windows) {
        const state = await window.get(key);
        if (state === null || state.remainingPoints > 0 || state.msBeforeNext <= 0) return ALLOWED;
        retryAfterMs = Math.min(retryAfterMs, state.msBeforeNext);
      }
      return refuse(retryAfterMs);
    },
    [Symbol.dispose](): void {
      disposed = true;
      for (const window of windows) {
        for (const { key } of window.dump().storage) void window.delete(key); // clears its timer
      }
    },
  };
}

function createWindow(points: number, durationMs: number): RateLimiterMemory {
  return new RateLimiterMemory({ points, duration: durationMs / 1000 });
}

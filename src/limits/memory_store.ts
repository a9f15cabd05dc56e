/**
 * Counts in this isolate's memory. Isolates that count this way allow a key its whole limit each.
 *
 * @module
 */
import { BurstyRateLimiter, RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { Store, StoreDecision, StoreOptions } from "./store.ts";

const ALLOWED: StoreDecision = { allowed: true, retryAfterMs: 0 };

/**
 * Creates a {@linkcode Store} in memory. A key is forgotten when its windows are over. The timers for that
 * are those of rate-limiter-flexible; they do not keep the process alive. A store that was disposed of
 * counts nothing and allows everything, so that late calls start no timer.
 */
export function createMemoryStore(
  { points, durationMs, burst = 0, burstMs = durationMs }: StoreOptions,
): Store {
  const rate = createWindow(points, durationMs);
  const windows = burst > 0 ? [rate, createWindow(burst, burstMs)] : [rate];
  const [, burstWindow] = windows;
  const counter = burstWindow === undefined ? rate : new BurstyRateLimiter(rate, burstWindow);
  const longestMs = Math.max(durationMs, burst > 0 ? burstMs : 0);
  let disposed = false;

  function refuse(retryAfterMs: number): StoreDecision {
    // The windows use the system's date. If it is set back, they seem to last for hours.
    return {
      allowed: false,
      retryAfterMs: Math.min(Math.max(Math.ceil(retryAfterMs), 1), longestMs),
    };
  }

  return {
    async consume(key, count): Promise<StoreDecision> {
      if (disposed) return ALLOWED;
      try {
        await counter.consume(key, count);
        return ALLOWED;
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal;
        return refuse(refusal.msBeforeNext);
      }
    },
    async peek(key): Promise<StoreDecision> {
      let retryAfterMs = Infinity;
      // BurstyRateLimiter.get() does not tell how much of the burst is left.
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

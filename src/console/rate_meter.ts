/**
 * Measures the current rate of a transfer.
 *
 * @module
 */

/** Measures the rate over the last seconds. */
export interface RateMeter {
  /** @param at The time in milliseconds, since any fixed moment. */
  add(amount: number, at: number): void;
  /** Returns the amount per second. */
  read(at: number): number;
}

const SLOT_MS = 100;

/** Creates a {@linkcode RateMeter} over the last `windowMs` milliseconds. */
export function createRateMeter(windowMs = 2000): RateMeter {
  const slots: { at: number; amount: number }[] = [];
  let startedAt: number | undefined;

  function removeOld(now: number): void {
    while (slots[0] !== undefined && slots[0].at < now - windowMs) slots.shift();
  }

  return {
    add(amount, at): void {
      startedAt ??= at;
      const last = slots.at(-1);
      if (last !== undefined && at - last.at < SLOT_MS) last.amount += amount;
      else slots.push({ at, amount });
      removeOld(at);
    },
    read(at): number {
      removeOld(at);
      if (startedAt === undefined) return 0;
      const spanMs = Math.max(SLOT_MS, Math.min(windowMs, at - startedAt));
      return slots.reduce((sum, { amount }) => sum + amount, 0) / spanMs * 1000;
    },
  };
}

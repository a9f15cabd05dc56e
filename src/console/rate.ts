/**
 * How fast something comes at the moment.
 *
 * @module
 */

/** Measures a rate over the last seconds. */
export interface Rate {
  /** @param at Milliseconds since any fixed moment. */
  add(amount: number, at: number): void;
  /** Gives the amount per second. */
  read(at: number): number;
}

const SLOT_MS = 100;

/** Creates a {@linkcode Rate} over the last `windowMs` milliseconds. */
export function createRate(windowMs = 2000): Rate {
  const slots: { at: number; amount: number }[] = [];
  let begin: number | undefined;

  function forget(now: number): void {
    while (slots[0] !== undefined && slots[0].at < now - windowMs) slots.shift();
  }

  return {
    add(amount, at): void {
      begin ??= at;
      const last = slots.at(-1);
      if (last !== undefined && at - last.at < SLOT_MS) last.amount += amount;
      else slots.push({ at, amount });
      forget(at);
    },
    read(at): number {
      forget(at);
      if (begin === undefined) return 0;
      const spanMs = Math.max(SLOT_MS, Math.min(windowMs, at - begin));
      return slots.reduce((sum, { amount }) => sum + amount, 0) / spanMs * 1000;
    },
  };
}

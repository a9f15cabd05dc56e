/**
 * Memory budgets for tests.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { MemoryBudget } from "../../src/limits/memory_budget.ts";
import type { MemoryAccount } from "../../src/limits/memory_account.ts";
import { createFakeClock } from "./clock.ts";

const MANY_BYTES = 2 ** 40;

/** Returns a budget that is never used up. */
export function createAmpleBudget(clock: Clock = createFakeClock()): MemoryBudget {
  return new MemoryBudget(MANY_BYTES, clock);
}

/** Returns the account of a connection in a budget. Nothing ends the connection. */
export function openAccount(budget = createAmpleBudget(), key = "key"): MemoryAccount {
  const account: MemoryAccount = budget.openAccount(key, {
    endLargest: () => {},
    readBuffered: () => account.bufferedBytes,
  });
  return account;
}

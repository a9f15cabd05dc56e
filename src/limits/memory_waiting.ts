/**
 * Exchanges that wait until they may keep more bytes.
 *
 * @module
 */
import type { MemoryAccount, MemoryHold } from "./memory_account.ts";

/** Bytes that a hold waits for. */
export interface Waiter {
  readonly hold: MemoryHold;
  readonly bytes: number;
  readonly since: number;
  readonly settle: () => void;
}

/**
 * A connection that keeps no more than this needs nothing but free bytes. So few at a time may come from the reserve.
 */
export const SMALL_BYTES = 262_144;

/** Returns waiters: first those of connections that keep the least, and of a connection those that keep the most. */
export function inOrder(waiters: Iterable<Waiter>): readonly Waiter[] {
  return [...waiters].sort((a, b) =>
    a.hold.account.keptBytes - b.hold.account.keptBytes ||
    b.hold.keptBytes - a.hold.keptBytes || a.since - b.since
  );
}

/** Returns whether all that a connection keeps is kept by exchanges that wait for more. */
export function isStuck(account: MemoryAccount, waiters: readonly Waiter[]): boolean {
  let others = account.keptBytes;
  for (const { hold } of waiters) if (hold.account === account) others -= hold.keptBytes;
  return others <= SMALL_BYTES;
}

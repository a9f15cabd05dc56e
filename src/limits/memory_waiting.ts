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

/**
 * Returns waiters: first those of identities that keep the least, and of an identity the exchanges that keep the most,
 * which need the least to end.
 */
export function inOrder(waiters: Iterable<Waiter>): readonly Waiter[] {
  return [...waiters].sort((a, b) =>
    a.hold.account.share.keptBytes - b.hold.account.share.keptBytes ||
    b.hold.keptBytes - a.hold.keptBytes || a.since - b.since
  );
}

/** Returns the connections of which all that they keep is kept by exchanges that wait for more. */
export function findStuck(waiters: readonly Waiter[]): ReadonlySet<MemoryAccount> {
  const others = new Map<MemoryAccount, number>();
  for (const { hold: { account, keptBytes } } of waiters) {
    others.set(account, (others.get(account) ?? account.keptBytes) - keptBytes);
  }
  return new Set([...others].flatMap(([account, bytes]) => bytes <= SMALL_BYTES ? [account] : []));
}

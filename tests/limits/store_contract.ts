/**
 * What every store has to do, whatever it counts in.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Store, StoreOptions } from "../../src/limits/store.ts";
import { wait } from "../../src/limits/wait.ts";

const ALLOWED = { allowed: true, retryAfterMs: 0 };
/** A window that no test outlives. */
const LONG_MS = 3_600_000;
/** A window that a test waits for. */
const SHORT_MS = 100;
const NO_SIGNAL = new AbortController().signal;

/** Registers the tests of a store; each creates one of its own, empty, and disposes of it. */
export function testStore(name: string, create: (options: StoreOptions) => Store): void {
  test(`${name}: consume() allows all points of a window, and no more`, async () => {
    using store = create({ points: 5, durationMs: LONG_MS });
    assertEquals(await store.consume("a", 2), ALLOWED);
    assertEquals(await store.consume("a", 3), ALLOWED);
    assertRefused(await store.consume("a", 1), LONG_MS);
  });

  test(`${name}: consume() counts beyond the limit`, async () => {
    using store = create({ points: 5, durationMs: LONG_MS });
    assertRefused(await store.consume("a", 6), LONG_MS);
    assertRefused(await store.consume("a", 1), LONG_MS);
    assertRefused(await store.peek("a"), LONG_MS);
  });

  test(`${name}: consume() loses no point of those who ask at the same time`, async () => {
    using store = create({ points: 5, durationMs: LONG_MS });
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => store.consume("a", 1)));
    assertEquals(verdicts.filter(({ allowed }) => allowed).length, 5);
  });

  test(`${name}: consume() counts exactly where numbers are large`, async () => {
    const points = 2 ** 50;
    using store = create({ points, durationMs: LONG_MS });
    assertEquals(await store.consume("a", points - 1), ALLOWED);
    assertEquals(await store.consume("a", 1), ALLOWED);
    assertRefused(await store.consume("a", 1), LONG_MS);
  });

  test(`${name}: consume() refuses until the window is over, which it tells`, async () => {
    using store = create({ points: 2, durationMs: SHORT_MS });
    await waitUntilLeft(store, assertRefused(await store.consume("a", 3), SHORT_MS));
    assertEquals(await store.consume("a", 2), ALLOWED);
  });

  test(`${name}: peek() allows while there is anything left, and counts nothing`, async () => {
    using store = create({ points: 2, durationMs: LONG_MS });
    for (const _ of Array(5)) assertEquals(await store.peek("a"), ALLOWED);
    await store.consume("a", 1);
    for (const _ of Array(5)) assertEquals(await store.peek("a"), ALLOWED);
    await store.consume("a", 1);
    assertRefused(await store.peek("a"), LONG_MS);
  });

  test(`${name}: a burst allows its points beyond the rate`, async () => {
    using store = create({ points: 2, durationMs: LONG_MS, burst: 3, burstMs: LONG_MS });
    for (const _ of Array(4)) assertEquals(await store.consume("a", 1), ALLOWED);
    assertEquals(await store.peek("a"), ALLOWED);
    assertEquals(await store.consume("a", 1), ALLOWED);
    assertRefused(await store.peek("a"), LONG_MS);
    assertRefused(await store.consume("a", 1), LONG_MS);
  });

  test(`${name}: a burst that is used up comes again in its own window`, async () => {
    using store = create({ points: 1, durationMs: LONG_MS, burst: 2, burstMs: SHORT_MS });
    await waitUntilLeft(store, assertRefused(await store.consume("a", 3), SHORT_MS));
    assertEquals(await store.consume("a", 2), ALLOWED);
  });

  test(`${name}: a rate that is used up comes again while the burst does not`, async () => {
    using store = create({ points: 2, durationMs: SHORT_MS, burst: 1, burstMs: LONG_MS });
    await waitUntilLeft(store, assertRefused(await store.consume("a", 3), SHORT_MS));
    assertEquals(await store.consume("a", 2), ALLOWED);
  });

  test(`${name}: peek() tells when the first of rate and burst comes again`, async () => {
    using rateFirst = create({ points: 1, burst: 1, durationMs: LONG_MS / 2, burstMs: LONG_MS });
    await rateFirst.consume("a", 2);
    assertRefused(await rateFirst.peek("a"), LONG_MS / 2);
    using burstFirst = create({ points: 1, burst: 1, durationMs: LONG_MS, burstMs: LONG_MS / 2 });
    await burstFirst.consume("a", 2);
    assertRefused(await burstFirst.peek("a"), LONG_MS / 2);
  });

  test(`${name}: any two keys are apart`, async () => {
    const keyArbitrary = fc.oneof(
      fc.string({ unit: "binary", maxLength: 100 }),
      fc.constantFrom("", " ", ":", "a:b", "__proto__", "constructor", "::1", "*", "a\0", "a\n"),
    );
    const pairArbitrary = fc.tuple(keyArbitrary, keyArbitrary).filter(([a, b]) => a !== b);
    await fc.assert(fc.asyncProperty(pairArbitrary, async ([key, other]) => {
      using store = create({ points: 1, durationMs: LONG_MS });
      assertEquals(await store.consume(key, 1), ALLOWED);
      assertRefused(await store.consume(key, 1), LONG_MS);
      assertEquals(await store.peek(other), ALLOWED);
      assertEquals(await store.consume(other, 1), ALLOWED);
    }));
  });

  test(`${name}: a store can be disposed of twice`, async () => {
    using store = create({ points: 1, durationMs: LONG_MS, burst: 1 });
    await store.consume("a", 3);
    store[Symbol.dispose]();
  });
}

/** A test that fails when a timer is left behind, which Deno does not look for by default. */
function test(name: string, run: () => Promise<void>): void {
  Deno.test(name, { sanitizeOps: true, sanitizeResources: true }, run);
}

/** Gives how long to wait. */
function assertRefused(
  { allowed, retryAfterMs }: Awaited<ReturnType<Store["peek"]>>,
  maxMs: number,
): number {
  assertEquals(allowed, false);
  assert(Number.isInteger(retryAfterMs) && retryAfterMs > 0 && retryAfterMs <= maxMs);
  return retryAfterMs;
}

/** Waits as long as the store says: once, but for a clock that is a millisecond off. */
async function waitUntilLeft(store: Store, retryAfterMs: number): Promise<void> {
  await wait(retryAfterMs, NO_SIGNAL);
  const { allowed, retryAfterMs: moreMs } = await store.peek("a");
  if (allowed) return;
  assert(moreMs <= 5, `the store said ${retryAfterMs} ms, and then ${moreMs} ms more`);
  await wait(moreMs, NO_SIGNAL);
  assertEquals(await store.peek("a"), ALLOWED);
}

/**
 * Tests that every store must pass, whatever memory it counts in.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Store, StoreOptions } from "../../src/limits/store.ts";

const ALLOWED = { allowed: true, retryAfterMs: 0 };
const LONG_MS = 3_600_000;
const SHORT_MS = 60_000;

/** Creates empty stores, and moves the time that they use. */
export interface StoreFixture extends Disposable {
  readonly create: (options: StoreOptions) => Store;
  readonly advance: (ms: number) => void;
}

/** Registers the tests of a store. Each of them sets up its own fixture. */
export function testStore(name: string, setUp: () => StoreFixture): void {
  /** Registers a test that fails if it leaves a timer behind, which Deno does not check by default. */
  function test(behaviour: string, run: (fixture: StoreFixture) => Promise<void>): void {
    const sanitized = { sanitizeOps: true, sanitizeResources: true };
    Deno.test(`${name}: ${behaviour}`, sanitized, async () => {
      using fixture = setUp();
      await run(fixture);
    });
  }

  test("consume() allows all points of a window, and no more", async ({ create }) => {
    using store = create({ points: 5, durationMs: LONG_MS });
    assertEquals(await store.consume("a", 2), ALLOWED);
    assertEquals(await store.consume("a", 3), ALLOWED);
    assertRefused(await store.consume("a", 1), LONG_MS);
  });

  test("consume() counts beyond the limit", async ({ create }) => {
    using store = create({ points: 5, durationMs: LONG_MS });
    assertRefused(await store.consume("a", 6), LONG_MS);
    assertRefused(await store.consume("a", 1), LONG_MS);
    assertRefused(await store.peek("a"), LONG_MS);
  });

  test("consume() loses no point of calls at the same time", async ({ create }) => {
    using store = create({ points: 5, durationMs: LONG_MS });
    const decisions = await Promise.all(Array.from({ length: 20 }, () => store.consume("a", 1)));
    assertEquals(decisions.filter(({ allowed }) => allowed).length, 5);
  });

  test("consume() counts large numbers exactly", async ({ create }) => {
    const points = 2 ** 50;
    using store = create({ points, durationMs: LONG_MS });
    assertEquals(await store.consume("a", points - 1), ALLOWED);
    assertEquals(await store.consume("a", 1), ALLOWED);
    assertRefused(await store.consume("a", 1), LONG_MS);
  });

  test("consume() refuses until the window is over, and tells how long that is", async ({ create, advance }) => {
    using store = create({ points: 2, durationMs: SHORT_MS });
    advance(assertRefused(await store.consume("a", 3), SHORT_MS) - 1);
    assertRefused(await store.peek("a"), 1);
    advance(1);
    assertEquals(await store.peek("a"), ALLOWED);
    assertEquals(await store.consume("a", 2), ALLOWED);
  });

  test("a window runs from its first use, however often it is used", async ({ create, advance }) => {
    using store = create({ points: 2, durationMs: SHORT_MS });
    for (let used = 1; used <= 4; used++) {
      const { allowed } = await store.consume("a", 1);
      assertEquals(allowed, used <= 2, `use ${used}`);
      advance(SHORT_MS / 4);
    }
    assertEquals(await store.consume("a", 2), ALLOWED);
  });

  test("peek() allows while there is anything left, and counts nothing", async ({ create }) => {
    using store = create({ points: 2, durationMs: LONG_MS });
    for (const _ of Array(5)) assertEquals(await store.peek("a"), ALLOWED);
    await store.consume("a", 1);
    for (const _ of Array(5)) assertEquals(await store.peek("a"), ALLOWED);
    await store.consume("a", 1);
    assertRefused(await store.peek("a"), LONG_MS);
  });

  test("a burst allows its points beyond the rate", async ({ create }) => {
    using store = create({ points: 2, durationMs: LONG_MS, burst: 3, burstMs: LONG_MS });
    for (const _ of Array(4)) assertEquals(await store.consume("a", 1), ALLOWED);
    assertEquals(await store.peek("a"), ALLOWED);
    assertEquals(await store.consume("a", 1), ALLOWED);
    assertRefused(await store.peek("a"), LONG_MS);
    assertRefused(await store.consume("a", 1), LONG_MS);
  });

  test("a burst that is used up is allowed again after its own window", async ({ create, advance }) => {
    using store = create({ points: 1, durationMs: LONG_MS, burst: 2, burstMs: SHORT_MS });
    advance(assertRefused(await store.consume("a", 3), SHORT_MS) - 1);
    assertRefused(await store.peek("a"), 1);
    advance(1);
    assertEquals(await store.peek("a"), ALLOWED);
    assertEquals(await store.consume("a", 2), ALLOWED);
  });

  test("a rate that is used up is allowed again while the burst is not", async ({ create, advance }) => {
    using store = create({ points: 2, durationMs: SHORT_MS, burst: 1, burstMs: LONG_MS });
    advance(assertRefused(await store.consume("a", 3), SHORT_MS) - 1);
    assertRefused(await store.peek("a"), 1);
    advance(1);
    assertEquals(await store.peek("a"), ALLOWED);
    assertEquals(await store.consume("a", 2), ALLOWED);
  });

  test("peek() tells when the first of rate and burst is allowed again", async ({ create }) => {
    using rateFirst = create({ points: 1, burst: 1, durationMs: LONG_MS / 2, burstMs: LONG_MS });
    await rateFirst.consume("a", 2);
    assertRefused(await rateFirst.peek("a"), LONG_MS / 2);
    using burstFirst = create({ points: 1, burst: 1, durationMs: LONG_MS, burstMs: LONG_MS / 2 });
    await burstFirst.consume("a", 2);
    assertRefused(await burstFirst.peek("a"), LONG_MS / 2);
  });

  test("two different keys never share their counts", async ({ create }) => {
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

  test("a store can be disposed of twice", async ({ create }) => {
    using store = create({ points: 1, durationMs: LONG_MS, burst: 1 });
    await store.consume("a", 3);
    store[Symbol.dispose]();
  });
}

/** Asserts that a decision refuses; returns how long to wait. */
function assertRefused(
  { allowed, retryAfterMs }: Awaited<ReturnType<Store["peek"]>>,
  maxMs: number,
): number {
  assertEquals(allowed, false);
  assert(Number.isInteger(retryAfterMs) && retryAfterMs > 0 && retryAfterMs <= maxMs);
  return retryAfterMs;
}

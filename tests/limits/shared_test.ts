import { assert, assertEquals, assertThrows } from "@std/assert";
import { allocateLimits, createSharedCounting, forgetIsolate } from "../../src/limits/shared.ts";
import { NO_LIMITS } from "../helpers/limits.ts";

const SIZE = { isolates: 2, keys: 10 };
const NAMES = ["connections", "exchanges"] as const;
const STORE = { points: 1, durationMs: 3_600_000 };

for (const name of NAMES) {
  Deno.test(`forgetIsolate() gives back the ${name} of that isolate, and no others`, () => {
    const limits = allocateLimits({ ...NO_LIMITS, maxConnections: 3, maxInFlight: 3 }, SIZE);
    const [living, dead] = [0, 1].map((index) =>
      createSharedCounting(limits, index).createPlaces(3, name)
    );
    for (const key of ["a", "b"]) assert(living?.take(key) && dead?.take(key) && dead?.take(key));
    assertEquals(living?.take("a"), undefined);
    forgetIsolate(limits, 1);
    for (const key of ["a", "b"]) {
      assert(living?.take(key) && living?.take(key));
      assertEquals(living?.take(key), undefined);
    }
  });
}

Deno.test("forgetIsolate() does nothing where places are not limited", () => {
  const limits = allocateLimits(NO_LIMITS, SIZE);
  forgetIsolate(limits, 1);
  assertEquals(limits, {});
});

Deno.test("createSharedCounting() counts connections and exchanges apart", () => {
  const limits = allocateLimits({ ...NO_LIMITS, maxConnections: 1, maxInFlight: 1 }, SIZE);
  const { createPlaces } = createSharedCounting(limits, 0);
  for (const name of NAMES) {
    const places = createPlaces(1, name);
    assert(places.take("a"));
    assertEquals(places.take("a"), undefined);
  }
});

Deno.test("createSharedCounting() counts requests and bytes apart, for all isolates together", async () => {
  const options = { ...NO_LIMITS, requestsPerSecond: 1, bytesPerMinute: 1 };
  const limits = allocateLimits(options, SIZE);
  for (const name of ["requests", "bytes"] as const) {
    const verdicts = [];
    for (const index of [0, 1]) {
      using store = createSharedCounting(limits, index).createStore(STORE, name);
      verdicts.push((await store.consume("a", 1)).allowed);
    }
    assertEquals(verdicts, [true, false]);
  }
});

Deno.test("createSharedCounting() counts no places that are not limited, and needs room for a store", () => {
  const { createPlaces, createStore } = createSharedCounting(allocateLimits(NO_LIMITS, SIZE), 0);
  const places = createPlaces(0, "connections");
  for (const _ of Array(100)) assert(places.take("a"));
  assertThrows(() => createStore(STORE, "bytes"), TypeError, "bytes");
});

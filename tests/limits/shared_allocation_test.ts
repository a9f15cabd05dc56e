import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  allocateLimits,
  createSharedCounting,
  forgetIsolate,
  type SharedLimits,
} from "../../src/limits/shared.ts";
import { NO_LIMITS } from "../helpers/limits.ts";

const SIZE = { isolates: 2, keys: 10 };
const HOUR_MS = 3_600_000;

function allocate(options: Partial<typeof NO_LIMITS>): SharedLimits {
  return allocateLimits({ ...NO_LIMITS, ...options }, SIZE);
}

Deno.test("allocateLimits() allocates a table for each limit that is set, and no other", () => {
  assertEquals(allocate({ requestBurst: 9 }), {});
  const limits = allocate({ maxConnections: 1, bytesPerMinute: 1 });
  assertEquals(Object.keys(limits), ["connections", "bytes"]);
  assertEquals([limits.connections?.columns, limits.bytes?.columns], [2, 4]);
  const others = allocate({ maxInFlight: 1, requestsPerSecond: 1 });
  assertEquals(Object.keys(others), ["exchanges", "requests"]);
});

Deno.test("createSharedCounting() counts with the other isolates", async () => {
  const limits = allocate({ maxInFlight: 2, requestsPerSecond: 3 });
  const [first, second] = [0, 1].map((index) => createSharedCounting(limits, index));
  const [places, others] = [first, second].map((each) => each?.createPlaces(2, "exchanges"));
  assert(places?.take("a") && others?.take("a"));
  assertEquals([places?.take("a"), others?.take("a")], [undefined, undefined]);
  const options = { points: 3, durationMs: HOUR_MS };
  const stores = [first, second].map((each) => each?.createStore(options, "requests"));
  const decisions = [];
  for (const store of [...stores, ...stores]) decisions.push(await store?.consume("a", 1));
  assertEquals(decisions.map((decision) => decision?.allowed), [true, true, true, false]);
});

Deno.test("createSharedCounting() counts nothing where there is no limit", () => {
  const places = createSharedCounting({}, 0).createPlaces(0, "connections");
  for (const _ of Array(100)) assert(places.take("a"));
});

Deno.test("createSharedCounting() refuses to count what no table was allocated for", () => {
  const { createStore } = createSharedCounting(allocate({ bytesPerMinute: 1 }), 0);
  const options = { points: 1, durationMs: HOUR_MS };
  assertThrows(() => createStore(options, "requests"), TypeError, "to count requests");
});

Deno.test("forgetIsolate() gives back the places of an isolate, and keeps its counts", async () => {
  const limits = allocate({ maxConnections: 1, bytesPerMinute: 1 });
  const [first, second] = [0, 1].map((index) => createSharedCounting(limits, index));
  const options = { points: 1, durationMs: HOUR_MS };
  assert(second?.createPlaces(1, "connections").take("a"));
  await second?.createStore(options, "bytes").consume("a", 1);
  const places = first?.createPlaces(1, "connections");
  assertEquals(places?.take("a"), undefined);
  forgetIsolate(limits, 1);
  assert(places?.take("a"));
  assertEquals((await first?.createStore(options, "bytes").peek("a"))?.allowed, false);
});

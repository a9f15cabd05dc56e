import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { createPlaces } from "../../src/limits/places.ts";

Deno.test("take() returns as many leases for each key as there are places", () => {
  const places = createPlaces(2);
  for (const key of ["a", "b", "a", "b"]) assert(places.take(key));
  assertEquals([places.take("a"), places.take("b")], [undefined, undefined]);
});

Deno.test("take() returns a place that was given back, once", () => {
  const places = createPlaces(2);
  const lease = places.take("a");
  places.take("a");
  for (const _ of Array(3)) lease?.[Symbol.dispose]();
  assert(places.take("a"));
  assertEquals(places.take("a"), undefined);
  lease?.[Symbol.dispose](); // has no effect on the place of another lease
  assertEquals(places.take("a"), undefined);
});

Deno.test("take() remembers only keys that hold a place, however many there were", () => {
  const places = createPlaces(2);
  const keys = Array.from({ length: 10_000 }, (_, i) => `2001:db8::${i.toString(16)}`);
  const leases = [...keys, ...keys].map((key) => places.take(key));
  assertEquals(places.keys, keys.length);
  for (const lease of leases.slice(keys.length)) lease?.[Symbol.dispose]();
  assertEquals(places.keys, keys.length);
  for (const lease of leases) lease?.[Symbol.dispose]();
  assertEquals(places.keys, 0);
});

Deno.test("take() counts nothing without a limit, and returns the same lease every time", () => {
  const places = createPlaces(0);
  const leases = Array.from({ length: 1000 }, (_, i) => places.take(String(i % 2)));
  for (const lease of leases) assertStrictEquals(lease, leases[0]);
  assertEquals(places.keys, 0);
  leases[0]?.[Symbol.dispose]();
  assertStrictEquals(places.take("a"), leases[0]);
});

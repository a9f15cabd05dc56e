import { assert, assertEquals } from "@std/assert";
import { createSharedPlaces, giveBackPlaces } from "../../src/limits/shared_places.ts";
import { allocateTable } from "../../src/limits/shared_table.ts";

Deno.test("take() returns as many leases for each key as there are places, to all isolates together", () => {
  const memory = allocateTable({ keys: 10, columns: 2 });
  const first = createSharedPlaces(3, memory, 0);
  const second = createSharedPlaces(3, memory, 1);
  const lease = first.take("a");
  assert(lease && second.take("a") && second.take("a") && second.take("b"));
  assertEquals([first.take("a"), second.take("a")], [undefined, undefined]);
  for (const _ of Array(3)) lease?.[Symbol.dispose]();
  assert(second.take("a"));
  assertEquals([first.take("a"), second.take("a")], [undefined, undefined]);
  lease?.[Symbol.dispose](); // has no effect on the place of another lease
  assertEquals(first.take("a"), undefined);
});

Deno.test("giveBackPlaces() gives back the places of one isolate", () => {
  const memory = allocateTable({ keys: 10, columns: 2 });
  const [first, second] = [0, 1].map((index) => createSharedPlaces(2, memory, index));
  for (const key of ["a", "b"]) assert(first?.take(key) && second?.take(key));
  giveBackPlaces(memory, 1);
  for (const key of ["a", "b"]) {
    assert(first?.take(key));
    assertEquals(first?.take(key), undefined);
  }
});

Deno.test("giveBackPlaces() gives back the places of every key, in each row", () => {
  const memory = allocateTable({ keys: 1, columns: 2 }); // four rows
  const [first, second] = [0, 1].map((index) => createSharedPlaces(1, memory, index));
  const keys = ["a", "b", "c", "d"];
  for (const key of keys) assert(second?.take(key));
  for (const key of keys) assertEquals(first?.take(key), undefined);
  giveBackPlaces(memory, 1);
  for (const key of keys) assert(first?.take(key));
});

Deno.test("take() remembers only keys that hold a place, however many there were", () => {
  const places = createSharedPlaces(1, allocateTable({ keys: 100, columns: 1 }), 0);
  for (let i = 0; i < 10_000; i++) {
    const lease = places.take(`address:2001:db8::${i.toString(16)}`);
    assert(lease);
    lease?.[Symbol.dispose]();
  }
});

Deno.test("take() refuses a key when every row is in use", () => {
  const places = createSharedPlaces(1, allocateTable({ keys: 1, columns: 1 }), 0);
  const leases = ["a", "b", "c", "d"].map((key) => places.take(key));
  assertEquals([leases.includes(undefined), places.take("e")], [false, undefined]);
  leases[0]?.[Symbol.dispose]();
  assert(places.take("e"));
});

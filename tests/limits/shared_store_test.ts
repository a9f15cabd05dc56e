import { assertEquals } from "@std/assert";
import { createSharedStore, STORE_COLUMNS } from "../../src/limits/shared_store.ts";
import { allocateTable } from "../../src/limits/shared_table.ts";
import { testStore } from "./store_contract.ts";

const HOUR_MS = 3_600_000;
const SIZE = { keys: 100, columns: STORE_COLUMNS };

testStore("createSharedStore()", (options) => createSharedStore(options, allocateTable(SIZE), 0));

Deno.test("createSharedStore() counts with the stores of other isolates", async () => {
  const memory = allocateTable(SIZE);
  const options = { points: 3, durationMs: HOUR_MS, burst: 2, burstMs: HOUR_MS };
  using first = createSharedStore(options, memory, 0);
  using second = createSharedStore(options, memory, 1);
  const verdicts = [];
  for (const store of [first, second, first, second, first]) {
    verdicts.push((await store.consume("a", 1)).allowed);
  }
  assertEquals(verdicts, Array(5).fill(true));
  for (const store of [first, second]) {
    assertEquals((await store.peek("a")).allowed, false);
    assertEquals((await store.consume("a", 1)).allowed, false);
    assertEquals((await store.consume("b", 1)).allowed, true);
  }
});

Deno.test("createSharedStore() forgets no key whose burst window runs, however many come", async () => {
  const memory = allocateTable({ keys: 1, columns: STORE_COLUMNS }); // four rows
  // The window of the rate is over at once.
  const options = { points: 1, durationMs: 0, burst: 3, burstMs: HOUR_MS };
  using store = createSharedStore(options, memory, 0);
  assertEquals((await store.consume("a", 2)).allowed, true); // by the burst
  for (let i = 0; i < 100; i++) {
    assertEquals((await store.consume(`other ${i}`, 1)).allowed, true); // by the rate
  }
  assertEquals((await store.consume("a", 2)).allowed, false);
});

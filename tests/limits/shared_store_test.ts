import { assertEquals } from "@std/assert";
import { createSharedStore, STORE_COLUMNS } from "../../src/limits/shared_store.ts";
import { allocateTable } from "../../src/limits/shared_table.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { testStore } from "./store_contract.ts";

const HOUR_MS = 3_600_000;
const SIZE = { keys: 100, columns: STORE_COLUMNS };

testStore("createSharedStore()", () => {
  const clock = createFakeClock();
  return {
    create: (options) => createSharedStore(options, allocateTable(SIZE), { index: 0, clock }),
    advance: clock.advance,
    [Symbol.dispose]: () => {},
  };
});

Deno.test("createSharedStore() counts with the stores of other isolates", async () => {
  const memory = allocateTable(SIZE);
  const options = { points: 3, durationMs: HOUR_MS, burst: 2, burstMs: HOUR_MS };
  using first = createSharedStore(options, memory, { index: 0 });
  using second = createSharedStore(options, memory, { index: 1 });
  const decisions = [];
  for (const store of [first, second, first, second, first]) {
    decisions.push((await store.consume("a", 1)).allowed);
  }
  assertEquals(decisions, Array(5).fill(true));
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
  using store = createSharedStore(options, memory, { index: 0 });
  assertEquals((await store.consume("a", 2)).allowed, true); // by the burst
  for (let i = 0; i < 100; i++) {
    assertEquals((await store.consume(`other ${i}`, 1)).allowed, true); // by the rate
  }
  assertEquals((await store.consume("a", 2)).allowed, false);
});

Deno.test("createSharedStore() ends a window when the date is set back", async () => {
  const clock = createFakeClock();
  let setBackMs = 0;
  using store = createSharedStore({ points: 1, durationMs: HOUR_MS }, allocateTable(SIZE), {
    index: 0,
    clock: { ...clock, epochMs: () => clock.epochMs() - setBackMs },
  });
  await store.consume("a", 2);
  assertEquals(await store.peek("a"), { allowed: false, retryAfterMs: HOUR_MS });
  setBackMs = 1;
  assertEquals(await store.peek("a"), { allowed: true, retryAfterMs: 0 });
});

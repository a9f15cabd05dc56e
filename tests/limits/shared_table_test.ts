import { assertEquals } from "@std/assert";
import { allocateTable, createSharedTable } from "../../src/limits/shared_table.ts";

Deno.test("use() gives each key a row of its own, which it keeps", () => {
  const memory = allocateTable({ keys: 1000, columns: 2 });
  const [first, second] = [1, 2].map((owner) =>
    createSharedTable(memory, { owner, rank: () => Infinity })
  );
  const keys = [
    "",
    " ",
    "\0",
    "identity:alice",
    "address:::1",
    "address:::2",
    "é",
    "x".repeat(1e5),
  ];
  for (const [value, key] of keys.entries()) {
    first?.use(key, (at) => memory.rows[at + 1] = value + 1);
  }
  for (const [value, key] of keys.entries()) {
    assertEquals(second?.use(key, (at) => [...memory.rows.subarray(at, at + 2)]), [0, value + 1]);
  }
});

Deno.test("use() finds the rows of as many keys as the table was allocated for", () => {
  const memory = allocateTable({ keys: 10_000, columns: 1 });
  const table = createSharedTable(memory, { owner: 1, rank: () => Infinity });
  const keys = Array.from({ length: 10_000 }, (_, i) => `address:2001:db8::${i.toString(16)}`);
  for (const [value, key] of keys.entries()) table.use(key, (at) => memory.rows[at] = value);
  for (const [value, key] of keys.entries()) {
    assertEquals(table.use(key, (at) => memory.rows[at]), value);
  }
});

Deno.test("use() gives a new key the row that is worth least, and never one that is in use", () => {
  // There are four rows, and every key can be in each of them.
  const memory = allocateTable({ keys: 1, columns: 1 });
  const table = createSharedTable(memory, { owner: 1, rank: (at) => memory.rows[at] ?? 0 });
  const set = (key: string, worth: number): number | undefined =>
    table.use(key, (at) => memory.rows[at] = worth);
  const look = (key: string): number | undefined => table.use(key, (at) => memory.rows[at]);
  for (const [key, worth] of [["a", 3], ["b", 1], ["c", Infinity], ["d", 2]] as const) {
    set(key, worth);
  }
  set("e", Infinity);
  assertEquals(["a", "c", "d", "e"].map(look), [3, Infinity, 2, Infinity]);
  for (const key of ["a", "d"]) set(key, Infinity);
  assertEquals(set("b", 1), undefined);
  set("d", 0);
  assertEquals([set("b", 1), look("c")], [1, Infinity]);
});

Deno.test("use() gives a key that takes over a row numbers that are all 0", () => {
  const memory = allocateTable({ keys: 1, columns: 2 }); // four rows
  const table = createSharedTable(memory, { owner: 1, rank: () => 0 });
  const look = (at: number): number[] => [...memory.rows.subarray(at, at + 2)];
  for (const key of ["a", "b", "c", "d", "e", "f", "g", "h"]) {
    assertEquals(table.use(key, look), [0, 0]);
    table.use(key, (at) => memory.rows.fill(7, at, at + 2));
    assertEquals(table.use(key, look), [7, 7]);
  }
});

Deno.test("useRow() runs an action on the row that use() found", () => {
  const memory = allocateTable({ keys: 1, columns: 1 });
  const table = createSharedTable(memory, { owner: 1, rank: () => Infinity });
  const at = table.use("a", (at) => at) ?? NaN;
  table.useRow(at, (at) => memory.rows[at] = 7);
  assertEquals(table.use("a", (at) => memory.rows[at]), 7);
});

const PROGRAM = "data:application/javascript," + encodeURIComponent(`
  import { createSharedTable } from ${
  JSON.stringify(new URL("../../src/limits/shared_table.ts", import.meta.url))
};
  self.onmessage = ({ data: { memory, owner } }) => {
    const table = createSharedTable(memory, { owner, rank: () => Infinity });
    for (let i = 0; i < 20_000; i++) {
      table.use("key " + i % 7, (at) => memory.rows[at] = memory.rows[at] + 1);
    }
    self.postMessage("done");
  };
`);

Deno.test("use() loses no change when several isolates call it at the same time", async () => {
  const memory = allocateTable({ keys: 100, columns: 1 });
  await Promise.all([1, 2, 3].map((owner) => {
    const worker = new Worker(PROGRAM, { type: "module" });
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.onmessage = () => {
      worker.terminate();
      resolve();
    };
    worker.postMessage({ memory, owner });
    return promise;
  }));
  const table = createSharedTable(memory, { owner: 1, rank: () => Infinity });
  let counted = 0;
  for (let i = 0; i < 7; i++) table.use(`key ${i}`, (at) => counted += memory.rows[at] ?? 0);
  assertEquals(counted, 60_000);
});

import { assert, assertEquals } from "@std/assert";
import { countTaken, createSeats } from "../../src/limits/seats.ts";

Deno.test("take() gives so many places, and one again that was given back, once", () => {
  const seats = createSeats(2);
  const lease = seats.take();
  assertEquals(seats.isFull, false);
  assert(seats.take());
  assertEquals([seats.isFull, seats.take()], [true, undefined]);
  for (const _ of Array(3)) lease?.[Symbol.dispose]();
  assertEquals(seats.isFull, false);
  assert(seats.take());
  assertEquals(seats.take(), undefined);
});

Deno.test("take() counts with the other isolates, and those that have died no longer", () => {
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const first = createSeats(3, { counts, index: 0 });
  const second = createSeats(3, { counts, index: 1 });
  assert(first.take() && second.take() && second.take());
  assertEquals([first.take(), second.take(), first.isFull], [undefined, undefined, true]);
  assertEquals([[...counts], countTaken(counts)], [[1, 2], 3]);
  Atomics.store(counts, 1, 0);
  assert(first.take() && first.take());
  assertEquals(first.take(), undefined);
});

const PROGRAM = "data:application/javascript," + encodeURIComponent(`
  import { createSeats } from ${
  JSON.stringify(new URL("../../src/limits/seats.ts", import.meta.url))
};
  self.onmessage = ({ data: { counts, index } }) => {
    const seats = createSeats(5, { counts, index });
    let most = 0;
    for (let i = 0; i < 20_000; i++) {
      const leases = [seats.take(), seats.take(), seats.take()];
      most = Math.max(most, leases.filter((lease) => lease !== undefined).length);
      for (const lease of leases) lease?.[Symbol.dispose]();
    }
    self.postMessage(most);
  };
`);

Deno.test("take() leaves no place taken when isolates ask at the same time", async () => {
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const most = await Promise.all([0, 1].map((index) => {
    const worker = new Worker(PROGRAM, { type: "module" });
    const { promise, resolve } = Promise.withResolvers<number>();
    worker.onmessage = ({ data }) => {
      worker.terminate();
      resolve(data);
    };
    worker.postMessage({ counts, index });
    return promise;
  }));
  assertEquals([most, [...counts]], [[3, 3], [0, 0]]);
});

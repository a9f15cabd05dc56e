import { assert, assertEquals } from "@std/assert";
import { countConnections, createConnectionPlaces } from "../../src/limits/connection_places.ts";

Deno.test("take() returns as many leases as there are places, and a place that was given back, once", () => {
  const places = createConnectionPlaces(2);
  const lease = places.take();
  assertEquals(places.isFull, false);
  assert(places.take());
  assertEquals([places.isFull, places.take()], [true, undefined]);
  for (const _ of Array(3)) lease?.[Symbol.dispose]();
  assertEquals(places.isFull, false);
  assert(places.take());
  assertEquals(places.take(), undefined);
});

Deno.test("take() counts with the other isolates, but not the places of one that ended", () => {
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const first = createConnectionPlaces(3, { counts, index: 0 });
  const second = createConnectionPlaces(3, { counts, index: 1 });
  assert(first.take() && second.take() && second.take());
  assertEquals([first.take(), second.take(), first.isFull], [undefined, undefined, true]);
  assertEquals([[...counts], countConnections(counts)], [[1, 2], 3]);
  Atomics.store(counts, 1, 0);
  assert(first.take() && first.take());
  assertEquals(first.take(), undefined);
});

const PROGRAM = "data:application/javascript," + encodeURIComponent(`
  import { createConnectionPlaces } from ${
  JSON.stringify(new URL("../../src/limits/connection_places.ts", import.meta.url))
};
  self.onmessage = ({ data: { counts, index } }) => {
    const places = createConnectionPlaces(5, { counts, index });
    let most = 0;
    for (let i = 0; i < 20_000; i++) {
      const leases = [places.take(), places.take(), places.take()];
      most = Math.max(most, leases.filter((lease) => lease !== undefined).length);
      for (const lease of leases) lease?.[Symbol.dispose]();
    }
    self.postMessage(most);
  };
`);

Deno.test("take() leaves no place taken when several isolates call it at the same time", async () => {
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

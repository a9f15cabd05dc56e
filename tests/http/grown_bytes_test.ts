import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { GrownBytes } from "../../src/http/grown_bytes.ts";
import type { KeptBytes } from "../../src/http/kept_bytes.ts";
import { Turns } from "../../src/turns/turns.ts";
import { createFakeClock } from "../helpers/clock.ts";

interface Count extends KeptBytes {
  kept: number;
}

function createCount(): Count {
  return {
    kept: 0,
    take(bytes): void {
      this.kept += bytes;
    },
    give(bytes): void {
      this.kept -= bytes;
    },
  };
}

Deno.test("whole() returns all pieces, however long they are", async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(sizes, async (sizes) => {
      const count = createCount();
      const grown = new GrownBytes(Infinity, count);
      const pieces = sizes.map((size, index) => new Uint8Array(size).fill(index + 1));
      for (const piece of pieces) grown.add(piece);
      const whole = await grown.whole();
      const expected = new Uint8Array(await new Blob(pieces).arrayBuffer());
      assertEquals(whole.byteLength, expected.byteLength);
      assert(whole.every((byte, at) => byte === expected[at]));
      assert(count.kept >= whole.byteLength);
      assert(count.kept <= 2 * whole.byteLength + 16_384);
    }),
    { numRuns: 50 },
  );
});

Deno.test("the memory does not grow beyond the most that will be added", () => {
  const count = createCount();
  const grown = new GrownBytes(100, count);
  grown.add(new Uint8Array(60));
  grown.add(new Uint8Array(1));
  assertEquals(count.kept, 100);
});

Deno.test("a long body without a limit has the memory of at most a block more than its length", () => {
  const count = createCount();
  const grown = new GrownBytes(Infinity, count);
  for (let added = 0; added < 10_000_000; added += 1000) grown.add(new Uint8Array(1000));
  assert(count.kept <= 10_000_000 + 524_288);
});

Deno.test("a long body takes all that it may need at once, and gives back what it did not need", async () => {
  const count = createCount();
  const grown = new GrownBytes(8_000_000, count);
  for (let added = 0; added < 200_000; added += 1000) grown.add(new Uint8Array(1000));
  assert(count.kept <= 262_144);
  grown.add(new Uint8Array(100_000));
  assertEquals(count.kept, 8_000_000);
  grown.add(new Uint8Array(1_000_000));
  assertEquals(count.kept, 8_000_000);
  assertEquals((await grown.whole()).byteLength, 1_300_000);
  assertEquals(count.kept, 1_300_000);
});

Deno.test("add() waits until the bytes may be kept", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let calls = 0;
  const grown = new GrownBytes(Infinity, {
    take: () => calls++ === 0 ? undefined : promise,
    give: () => {},
  });
  grown.add(new Uint8Array(16_384).fill(1));
  const adding = grown.add(Uint8Array.of(2));
  assert(adding instanceof Promise);
  resolve();
  await adding;
  const whole = await grown.whole();
  assertEquals([whole.byteLength, whole.at(-2), whole.at(-1)], [16_385, 1, 2]);
});

Deno.test("whole() copies a long body in turns of the event loop", async () => {
  const clock = createFakeClock();
  const grown = new GrownBytes(Infinity);
  for (let added = 0; added < 8; added++) grown.add(new Uint8Array(1_000_000).fill(added));
  let turns = 0;
  let isDone = false;
  const joining = Promise.resolve(grown.whole(new Turns(clock))).finally(() => isDone = true);
  for (; !isDone; turns++) {
    clock.turn();
    await new Promise((resolve) => setTimeout(resolve)); // lets all microtasks pass
  }
  assertEquals((await joining).byteLength, 8_000_000);
  assert(turns > 3);
});

import { assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { GrownBytes } from "../../src/http/grown_bytes.ts";
import type { KeptBytes } from "../../src/http/kept_bytes.ts";

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

Deno.test("whole() returns all pieces, and what is kept is their memory: at most twice as much", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (pieces) => {
    const count = createCount();
    const length = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const grown = new GrownBytes(Infinity, count);
    for (const piece of pieces) grown.add(piece);
    const whole = grown.whole();
    assertEquals([...whole], pieces.flatMap((piece) => [...piece]));
    assertEquals(count.kept, whole.buffer.byteLength);
    return count.kept <= 2 * length;
  }));
});

Deno.test("the memory does not grow beyond the most that will be added", () => {
  const count = createCount();
  const grown = new GrownBytes(100, count);
  grown.add(new Uint8Array(60));
  grown.add(new Uint8Array(1));
  assertEquals(count.kept, 100);
});

Deno.test("add() waits until the bytes may be kept, and frees the memory that it replaces", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let calls = 0;
  const grown = new GrownBytes(Infinity, {
    take: () => calls++ === 0 ? undefined : promise,
    give: () => {},
  });
  grown.add(Uint8Array.of(1, 2));
  const before = grown.whole();
  const adding = grown.add(Uint8Array.of(3));
  assertEquals([...grown.whole()], [1, 2]);
  resolve();
  await adding;
  assertEquals([...grown.whole()], [1, 2, 3]);
  assertEquals(before.buffer.detached, true);
});

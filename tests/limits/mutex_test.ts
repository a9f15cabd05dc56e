import { assertEquals, assertThrows } from "@std/assert";
import { createMutex } from "../../src/limits/mutex.ts";

function createWord(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4));
}

Deno.test("a mutex returns or throws as its action does, and is unlocked afterwards", () => {
  const word = createWord();
  const [first, second] = [1, 2].map((owner) => createMutex(word, owner));
  assertEquals(first?.(() => [...word]), [1]);
  assertThrows(() => first?.(() => fail()), Error, "it failed");
  assertEquals(second?.(() => [...word]), [2]);
  assertEquals([...word], [0]);
});

Deno.test("a mutex does not stay locked when the isolate that locked it has ended", () => {
  const word = createWord();
  word[0] = 7;
  assertEquals(createMutex(word, 1)(() => "in"), "in");
});

function fail(): never {
  throw new Error("it failed");
}

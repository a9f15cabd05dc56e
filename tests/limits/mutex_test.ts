import { assertEquals, assertThrows } from "@std/assert";
import { createMutex } from "../../src/limits/mutex.ts";

function createWord(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4));
}

Deno.test("a mutex gives what the action gives or throws, and lets the next one in", () => {
  const word = createWord();
  const [first, second] = [1, 2].map((self) => createMutex({ word, self }));
  assertEquals(first?.(() => [...word]), [1]);
  assertThrows(() => first?.(() => fail()), Error, "it failed");
  assertEquals(second?.(() => [...word]), [2]);
  assertEquals([...word], [0]);
});

Deno.test("a mutex that an isolate died in does not stay closed", () => {
  const word = createWord();
  word[0] = 7;
  assertEquals(createMutex({ word, self: 1 })(() => "in"), "in");
});

function fail(): never {
  throw new Error("it failed");
}

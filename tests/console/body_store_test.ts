import { assertEquals } from "@std/assert";
import { createBodyStore } from "../../src/console/body_store.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

Deno.test("createBodyStore() stores bytes in order up to the maximum", () => {
  const body = createBodyStore(5);
  body.push(bytes("abc"));
  assertEquals([...body.readFrom(1)], [...bytes("bc")]);
  body.push(bytes("defg"));
  assertEquals([body.bytes, body.isCut], [7, true]);
  assertEquals([...body.read()], [...bytes("abcde")]);
  assertEquals([...body.readFrom(4)], [...bytes("e")]);
  assertEquals(body.readFrom(9).byteLength, 0);
  body.release();
  assertEquals([body.bytes, body.read().byteLength], [7, 0]);
});

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { fromBase64, toBase64 } from "../../src/protocol/base64.ts";

const { toBase64: nativeTo } = Uint8Array.prototype;
const { fromBase64: nativeFrom } = Uint8Array;

/** Calls `test` as on this runtime, then as on a runtime without base64 for bytes. */
function onBothRuntimes(test: () => void): void {
  test();
  try {
    Object.assign(Uint8Array.prototype, { toBase64: undefined });
    Object.assign(Uint8Array, { fromBase64: undefined });
    test();
  } finally {
    Object.assign(Uint8Array.prototype, { toBase64: nativeTo });
    Object.assign(Uint8Array, { fromBase64: nativeFrom });
  }
}

Deno.test("toBase64() writes the alphabet of RFC 4648 §4 with padding", () => {
  onBothRuntimes(() => {
    assertEquals(toBase64(Uint8Array.of()), "");
    assertEquals(toBase64(Uint8Array.of(0xfb)), "+w==");
    assertEquals(toBase64(Uint8Array.of(0xff, 0xef)), "/+8=");
    assertEquals(toBase64(Uint8Array.of(0, 1, 2)), "AAEC");
  });
});

Deno.test("fromBase64() returns the bytes that toBase64() was given", () => {
  onBothRuntimes(() => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.constantFrom(8191, 8192, 8193, 20_000).map((size) => new Uint8Array(size).fill(0xa5)),
    ).map((bytes) => Uint8Array.from(bytes));
    fc.assert(fc.property(bytes, (bytes) => assertEquals(fromBase64(toBase64(bytes)), bytes)));
  });
});

Deno.test("fromBase64() throws for what is not base64", () => {
  onBothRuntimes(() => {
    for (const text of ["*", "YQ===", "-_-_"]) assertThrows(() => fromBase64(text));
  });
});

import { assertEquals } from "@std/assert";
import { countHexRows, toHexRow } from "../../src/console/hex_dump.ts";

Deno.test("toHexRow() returns offset, bytes and ASCII characters", () => {
  const bytes = Uint8Array.from({ length: 20 }, (_, at) => 0x40 + at * 8);
  assertEquals(countHexRows(20, 16), 2);
  assertEquals(toHexRow(bytes, 0, 16), {
    offset: "00000000",
    hex: "40 48 50 58 60 68 70 78  80 88 90 98 a0 a8 b0 b8",
    ascii: "@HPX`hpx........",
  });
  assertEquals(toHexRow(bytes, 1, 16), { offset: "00000010", hex: "c0 c8 d0 d8", ascii: "...." });
});

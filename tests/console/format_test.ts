import { assertEquals } from "@std/assert";
import {
  formatBytes,
  formatClock,
  formatCount,
  formatMs,
  toVisible,
} from "../../src/console/format.ts";
import { countHexRows, toHexRow } from "../../src/console/hex.ts";
import { createRate } from "../../src/console/rate.ts";

const BYTES = [
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1 kB"],
  [1536, "1.54 kB"],
  [65_536, "65.5 kB"],
  [999_999, "1 MB"],
  [12_345_678, "12.3 MB"],
  [5e12, "5000 GB"],
] as const;
for (const [input, expected] of BYTES) {
  Deno.test(`formatBytes() writes ${input} as ${expected}`, () => {
    assertEquals(formatBytes(input), expected);
  });
}

const TIMES = [
  [0, "0 ms"],
  [0.26, "0.3 ms"],
  [9.96, "10 ms"],
  [999.6, "1 s"],
  [1234, "1.23 s"],
  [12_345, "12.3 s"],
  [59_960, "1 min 0 s"],
  [125_000, "2 min 5 s"],
] as const;
for (const [input, expected] of TIMES) {
  Deno.test(`formatMs() writes ${input} as ${expected}`, () => {
    assertEquals(formatMs(input), expected);
  });
}

Deno.test("formatClock() writes the time of day to the millisecond", () => {
  assertEquals(formatClock(new Date(2026, 0, 2, 3, 4, 5, 6).getTime()), "03:04:05.006");
});

Deno.test("formatCount() separates thousands", () => {
  assertEquals(formatCount(12_345), "12,345");
});

Deno.test("toVisible() shows what would hide or turn text around, and cuts", () => {
  assertEquals(toVisible("a\u202eb\x00c\td\n\u200b"), "a\\u202eb\\u0000c d⏎\\u200b");
  assertEquals(toVisible("abcdef", 3), "abc…");
});

Deno.test("toHexRow() gives offset, bytes and what of them is ASCII", () => {
  const bytes = Uint8Array.from({ length: 20 }, (_, at) => 0x40 + at * 8);
  assertEquals(countHexRows(20, 16), 2);
  assertEquals(toHexRow(bytes, 0, 16), {
    offset: "00000000",
    hex: "40 48 50 58 60 68 70 78  80 88 90 98 a0 a8 b0 b8",
    ascii: "@HPX`hpx........",
  });
  assertEquals(toHexRow(bytes, 1, 16), { offset: "00000010", hex: "c0 c8 d0 d8", ascii: "...." });
});

Deno.test("createRate() gives what came in the last seconds, per second", () => {
  const rate = createRate(2000);
  assertEquals(rate.read(0), 0);
  for (let at = 0; at < 4000; at += 100) rate.add(50, at);
  assertEquals(Math.round(rate.read(4000) / 50), 10);
  assertEquals(rate.read(10_000), 0);
});

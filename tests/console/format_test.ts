import { assertEquals } from "@std/assert";
import {
  formatBytes,
  formatClock,
  formatCount,
  formatMs,
  toVisible,
} from "../../src/console/format.ts";

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

Deno.test("formatClock() includes milliseconds", () => {
  assertEquals(formatClock(new Date(2026, 0, 2, 3, 4, 5, 6).getTime()), "03:04:05.006");
});

Deno.test("formatCount() inserts thousands separators", () => {
  assertEquals(formatCount(12_345), "12,345");
});

Deno.test("toVisible() escapes invisible characters and truncates", () => {
  assertEquals(toVisible("a\u202eb\x00c\td\n\u200b"), "a\\u202eb\\u0000c d⏎\\u200b");
  assertEquals(toVisible("abcdef", 3), "abc…");
});

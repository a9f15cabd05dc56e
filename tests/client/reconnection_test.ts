import { assertEquals } from "@std/assert";
import { toDelayMs } from "../../src/client/backoff.ts";
import { createIds } from "../../src/client/ids.ts";

Deno.test("toDelayMs() doubles up to the maximum, and takes any part of it", () => {
  const options = { minDelayMs: 100, maxDelayMs: 500 };
  assertEquals([0, 1, 2, 3, 9].map((failures) => toDelayMs(failures, () => 1, options)), [
    100,
    200,
    400,
    500,
    500,
  ]);
  assertEquals(toDelayMs(5, () => 0, {}), 0);
  assertEquals(toDelayMs(5_000, () => 0.5, {}), 15_000);
});

Deno.test("createIds() counts up, begins again, and skips what is in use", () => {
  const next = createIds(4294967294);
  const inUse = { 1: true, 2: true };
  assertEquals([next(inUse), next(inUse), next(inUse)], [4294967294, 4294967295, 3]);
});

import { assertEquals } from "@std/assert";
import { createRateMeter } from "../../src/console/rate_meter.ts";

Deno.test("createRateMeter() measures the rate of the last seconds", () => {
  const rate = createRateMeter(2000);
  assertEquals(rate.read(0), 0);
  for (let at = 0; at < 4000; at += 100) rate.add(50, at);
  assertEquals(Math.round(rate.read(4000) / 50), 10);
  assertEquals(rate.read(10_000), 0);
});

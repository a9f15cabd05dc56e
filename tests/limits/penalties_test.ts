import { assertEquals } from "@std/assert";
import { Penalties } from "../../src/limits/penalties.ts";
import { createFakeClock } from "../helpers/clock.ts";

Deno.test("each connection that was ended delays the next ones of its key, up to five seconds", () => {
  const penalties = new Penalties(createFakeClock());
  assertEquals(penalties.toDelayMs("a"), 0);
  penalties.add("a");
  penalties.add("a");
  assertEquals([penalties.toDelayMs("a"), penalties.toDelayMs("b")], [500, 0]);
  for (let count = 0; count < 100; count++) penalties.add("a");
  assertEquals(penalties.toDelayMs("a"), 5000);
});

Deno.test("a penalty is forgotten 15 seconds after the last connection that was ended", () => {
  const clock = createFakeClock();
  const penalties = new Penalties(clock);
  penalties.add("a");
  clock.advance(15_000);
  assertEquals(penalties.toDelayMs("a"), 250);
  clock.advance(1);
  assertEquals(penalties.toDelayMs("a"), 0);
  penalties.add("a");
  assertEquals(penalties.toDelayMs("a"), 250);
});

import { assertEquals } from "@std/assert";
import { createEventLoopMeter } from "../../src/telemetry/event_loop.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";

const SAMPLE_MS = 50;

/** A clock whose timers fire late. */
interface LateClock extends FakeClock {
  /** Fires the timer once, `lateMs` milliseconds late. */
  fire(lateMs: number): void;
}

function createLateClock(): LateClock {
  const clock = createFakeClock();
  let totalLateMs = 0;
  return {
    ...clock,
    now: () => clock.now() + totalLateMs,
    fire(lateMs): void {
      totalLateMs += lateMs;
      clock.advance(SAMPLE_MS);
    },
    get delays(): readonly number[] {
      return clock.delays;
    },
  };
}

Deno.test("lag() returns 0 before the first measurement", () => {
  using meter = createEventLoopMeter(createFakeClock());
  assertEquals(meter.lag([0, 0.5, 1]), [0, 0, 0]);
});

Deno.test("lag() returns quantiles of how late timers were, in seconds", () => {
  const clock = createLateClock();
  using meter = createEventLoopMeter(clock);
  for (let lateMs = 1; lateMs <= 100; lateMs++) clock.fire(lateMs * 10);
  assertEquals(meter.lag([0, 0.5, 0.99, 1]), [0.01, 0.51, 1, 1]);
  assertEquals(meter.lag([1]), [1], "lag() changes nothing");
});

Deno.test("lag() treats an early timer as punctual", () => {
  const clock = createLateClock();
  using meter = createEventLoopMeter(clock);
  clock.fire(-3);
  assertEquals(meter.lag([1]), [0]);
});

Deno.test("lag() ignores measurements older than a minute", () => {
  const clock = createLateClock();
  using meter = createEventLoopMeter(clock);
  clock.fire(5000);
  for (let ms = 0; ms < 59_000; ms += 50) clock.fire(0);
  assertEquals(meter.lag([1]), [5]);
  for (let ms = 0; ms < 1000; ms += 50) clock.fire(0);
  assertEquals(meter.lag([1]), [0]);
});

Deno.test("createEventLoopMeter() stops its timer when disposed of", () => {
  const clock = createLateClock();
  const meter = createEventLoopMeter(clock);
  assertEquals(clock.delays, [SAMPLE_MS]);
  meter[Symbol.dispose]();
  assertEquals(clock.delays, []);
});

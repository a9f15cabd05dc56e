import { assertEquals } from "@std/assert";
import { createEventLoopMeter } from "../../src/telemetry/event_loop.ts";

/** A timer that fires when it is told to, so many milliseconds late. */
function createFakeTimer(): {
  readonly now: () => number;
  readonly every: (action: () => void, ms: number) => () => void;
  fire(lateMs: number): void;
  readonly running: () => boolean;
} {
  let time = 1000;
  let timer: { readonly action: () => void; readonly ms: number } | undefined;
  return {
    now: () => time,
    every(action, ms): () => void {
      timer = { action, ms };
      return () => timer = undefined;
    },
    fire(lateMs): void {
      time += (timer?.ms ?? 0) + lateMs;
      timer?.action();
    },
    running: () => timer !== undefined,
  };
}

Deno.test("lag() is nothing before anything was measured", () => {
  using meter = createEventLoopMeter(createFakeTimer());
  assertEquals(meter.lag([0, 0.5, 1]), [0, 0, 0]);
});

Deno.test("lag() gives quantiles of how late timers were, in seconds", () => {
  const timer = createFakeTimer();
  using meter = createEventLoopMeter(timer);
  for (let lateMs = 1; lateMs <= 100; lateMs++) timer.fire(lateMs * 10);
  assertEquals(meter.lag([0, 0.5, 0.99, 1]), [0.01, 0.51, 1, 1]);
  assertEquals(meter.lag([1]), [1], "asking forgets nothing");
});

Deno.test("lag() takes a timer that is early for one in time", () => {
  const timer = createFakeTimer();
  using meter = createEventLoopMeter(timer);
  timer.fire(-3);
  assertEquals(meter.lag([1]), [0]);
});

Deno.test("lag() forgets what is older than a minute", () => {
  const timer = createFakeTimer();
  using meter = createEventLoopMeter(timer);
  timer.fire(5000);
  for (let ms = 0; ms < 59_000; ms += 50) timer.fire(0);
  assertEquals(meter.lag([1]), [5]);
  for (let ms = 0; ms < 1000; ms += 50) timer.fire(0);
  assertEquals(meter.lag([1]), [0]);
});

Deno.test("disposing of a meter ends its timer", () => {
  const timer = createFakeTimer();
  createEventLoopMeter(timer)[Symbol.dispose]();
  assertEquals(timer.running(), false);
});

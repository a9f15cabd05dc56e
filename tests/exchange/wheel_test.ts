import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createWheel, type Entry, type Wheel } from "../../src/exchange/wheel.ts";

/** A wheel on a clock that the test moves, and how often its timer was set. */
function createBench(): { wheel: Wheel; advance(ms: number): void; timers(): number } {
  let time = 0;
  let dueAt = Infinity;
  let timers = 0;
  let turn = (): void => {};
  const wheel = createWheel({
    now: () => time,
    createTimer(callback): (delayMs: number) => void {
      turn = callback;
      return (delayMs) => {
        timers++;
        dueAt = time + delayMs;
      };
    },
  });
  return {
    wheel,
    advance(ms): void {
      const end = time + ms;
      while (dueAt <= end) {
        time = dueAt;
        dueAt = Infinity;
        turn();
      }
      time = end;
    },
    timers: () => timers,
  };
}

Deno.test("set() calls back when the time has passed, not before and at most a tick later", () => {
  const { wheel, advance } = createBench();
  const called: string[] = [];
  wheel.set(100, () => called.push("a"));
  wheel.set(0, () => called.push("now"));
  advance(99);
  assertEquals(called, ["now"]);
  advance(9);
  assertEquals(called, ["now", "a"]);
});

Deno.test("clear() forgets a callback, and leaves alone what was called or forgotten", () => {
  const { wheel, advance } = createBench();
  let calls = 0;
  const entries = [wheel.set(10, () => calls++), wheel.set(10, () => calls++)] as const;
  wheel.clear(entries[0]);
  wheel.clear(entries[0]);
  advance(1000);
  wheel.clear(entries[1]);
  assertEquals(calls, 1);
});

Deno.test("one timer serves deadlines that come and go", () => {
  const { wheel, advance, timers } = createBench();
  for (let times = 0; times < 1000; times++) {
    wheel.clear(wheel.set(30_000, () => {}));
    advance(1);
  }
  assertEquals(timers(), 1);
});

Deno.test("a callback may set and clear others", () => {
  const { wheel, advance } = createBench();
  const called: string[] = [];
  const others: Entry[] = [];
  wheel.set(10, () => {
    called.push("first");
    others.forEach(wheel.clear);
    wheel.set(10, () => called.push("third"));
  });
  others.push(wheel.set(20, () => called.push("second")));
  advance(100);
  assertEquals(called, ["first", "third"]);
});

Deno.test("every callback is called once, in time, unless it was cleared", () => {
  const steps = fc.array(fc.record({
    delayMs: fc.nat(200),
    advanceMs: fc.nat(50),
    clear: fc.boolean(),
  }));
  fc.assert(fc.property(steps, (steps) => {
    const { wheel, advance } = createBench();
    let time = 0;
    const calls = steps.map(() => 0);
    const due: number[] = [];
    steps.forEach(({ delayMs, advanceMs, clear }, index) => {
      const entry = wheel.set(delayMs, () => {
        calls[index] = (calls[index] ?? 0) + 1;
      });
      due[index] = time + delayMs;
      if (clear) wheel.clear(entry);
      advance(advanceMs);
      time += advanceMs;
      calls.slice(0, index + 1).forEach((count, at) => {
        const dueAt = due[at] ?? 0;
        if (steps[at]?.clear) assertEquals(count, 0);
        else if (time < dueAt) assertEquals(count, 0);
        else if (time >= dueAt + 8) assertEquals(count, 1);
        else assert(count <= 1);
      });
    });
  }));
});

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createWheel, type Entry, type Wheel } from "../../src/exchange/wheel.ts";

interface Bench {
  readonly wheel: Wheel;
  advance(ms: number): void;
  /** As `advance`, while the event loop is busy: the timer is called once, at the end. */
  block(ms: number): void;
  timers(): number;
}

/** A wheel on a clock that the test moves, and how often its timer was set. */
function createBench(): Bench {
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
    block(ms): void {
      time += ms;
      if (dueAt > time) return;
      dueAt = Infinity;
      turn();
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

Deno.test("a callback may clear another that is due in the same turn", () => {
  for (const delays of [[10, 10], [10, 20], [20, 10]] as const) {
    const { wheel, block } = createBench();
    const called: number[] = [];
    const entries: Entry[] = delays.map((delayMs, index) =>
      wheel.set(delayMs, () => {
        called.push(index);
        entries.forEach(wheel.clear);
      })
    );
    block(100);
    block(100);
    assertEquals(called, [delays[0] <= delays[1] ? 0 : 1]);
  }
});

Deno.test("a callback may set another that is due at once, which the next turn calls", () => {
  const { wheel, block } = createBench();
  const called: string[] = [];
  wheel.set(8, () => {
    called.push("first");
    wheel.set(0, () => called.push("second"));
  });
  block(8);
  assertEquals(called, ["first"]);
  block(0);
  assertEquals(called, ["first", "second"]);
});

Deno.test("what is due in one turn is called in the order of its time", () => {
  const { wheel, block } = createBench();
  const called: number[] = [];
  for (const delayMs of [50, 10, 30, 20, 40]) wheel.set(delayMs, () => called.push(delayMs));
  block(100);
  assertEquals(called, [10, 20, 30, 40, 50]);
});

Deno.test("set() counts from the time that it is given", () => {
  const { wheel, advance } = createBench();
  advance(80);
  const called: string[] = [];
  wheel.set(80, () => called.push("from then"), 40);
  wheel.set(80, () => called.push("from now"));
  advance(40);
  assertEquals(called, ["from then"]);
  advance(40);
  assertEquals(called, ["from then", "from now"]);
});

Deno.test("a wheel that forgets delays forgets no callback that waits", () => {
  const { wheel, advance } = createBench();
  const called: number[] = [];
  for (let delayMs = 1; delayMs <= 200; delayMs++) wheel.set(delayMs, () => called.push(delayMs));
  for (let time = 0; time < 208; time += 8) advance(8);
  for (let delayMs = 1; delayMs <= 200; delayMs++) wheel.set(delayMs, () => called.push(delayMs));
  advance(208);
  assertEquals(called.length, 400);
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

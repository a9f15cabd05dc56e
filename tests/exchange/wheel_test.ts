import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Cancel } from "../../src/clock.ts";
import { createWheel, type Deadline, type Wheel } from "../../src/exchange/wheel.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";

interface Bench {
  readonly wheel: Wheel;
  readonly clock: FakeClock;
  /** Sets a deadline that calls `action`. */
  set(delayMs: number, action: () => void, from?: number): Deadline;
  advance(ms: number): void;
  /** Lets time pass while the event loop is busy: the timer fires once, at the end. */
  block(ms: number): void;
  /** How often the wheel has set its timer. */
  timers(): number;
}

function createBench(): Bench {
  const clock = createFakeClock();
  const held: (() => void)[] = [];
  let isBlocked = false;
  let timers = 0;
  const wheel = createWheel({
    ...clock,
    after(delayMs, action): Cancel {
      timers++;
      return clock.after(delayMs, () => isBlocked ? void held.push(action) : action());
    },
  });
  return {
    wheel,
    clock,
    set: (delayMs, action, from) => wheel.set(delayMs, { deadlinePassed: action }, from),
    advance: clock.advance,
    block(ms): void {
      isBlocked = true;
      clock.advance(ms);
      isBlocked = false;
      for (const action of held.splice(0)) action();
    },
    timers: () => timers,
  };
}

Deno.test("set() tells the owner when the time has passed, not before and at most a tick later", () => {
  const { set, advance } = createBench();
  const called: string[] = [];
  set(100, () => called.push("a"));
  set(0, () => called.push("now"));
  advance(99);
  assertEquals(called, ["now"]);
  advance(9);
  assertEquals(called, ["now", "a"]);
});

Deno.test("clear() forgets a deadline, and leaves alone what has passed or was forgotten", () => {
  const { wheel, set, advance } = createBench();
  let calls = 0;
  const deadlines = [set(10, () => calls++), set(10, () => calls++)] as const;
  wheel.clear(deadlines[0]);
  wheel.clear(deadlines[0]);
  advance(1000);
  wheel.clear(deadlines[1]);
  assertEquals(calls, 1);
});

Deno.test("one timer serves deadlines that come and go", () => {
  const { wheel, set, advance, timers, clock } = createBench();
  for (let times = 0; times < 1000; times++) {
    wheel.clear(set(30_000, () => {}));
    advance(1);
  }
  assertEquals([timers(), clock.delays.length], [1, 1]);
});

Deno.test("an earlier deadline takes the place of the timer, and the later one is not lost", () => {
  const { set, advance, clock, timers } = createBench();
  const called: number[] = [];
  for (const delayMs of [800, 80, 400]) set(delayMs, () => called.push(delayMs));
  set(79, () => {}); // in the same tick
  assertEquals([clock.delays, timers()], [[80], 2], "one timer waits");
  for (const delayMs of [80, 400, 800]) {
    advance(delayMs - clock.now());
    assertEquals(called.at(-1), delayMs);
  }
  assertEquals([called, clock.delays], [[80, 400, 800], []]);
});

Deno.test("an owner may set and clear other deadlines", () => {
  const { wheel, set, advance } = createBench();
  const called: string[] = [];
  const others: Deadline[] = [];
  set(10, () => {
    called.push("first");
    others.forEach(wheel.clear);
    set(10, () => called.push("third"));
  });
  others.push(set(20, () => called.push("second")));
  advance(100);
  assertEquals(called, ["first", "third"]);
});

Deno.test("an owner may clear another deadline that is due in the same turn", () => {
  for (const delays of [[10, 10], [10, 20], [20, 10]] as const) {
    const { wheel, set, block } = createBench();
    const called: number[] = [];
    const deadlines: Deadline[] = delays.map((delayMs, index) =>
      set(delayMs, () => {
        called.push(index);
        deadlines.forEach(wheel.clear);
      })
    );
    block(100);
    block(100);
    assertEquals(called, [delays[0] <= delays[1] ? 0 : 1]);
  }
});

Deno.test("an owner may set a deadline that is due at once, which the next turn passes", () => {
  const { set, block } = createBench();
  const called: string[] = [];
  set(8, () => {
    called.push("first");
    set(0, () => called.push("second"));
  });
  block(8);
  assertEquals(called, ["first"]);
  block(0);
  assertEquals(called, ["first", "second"]);
});

Deno.test("what is due in one turn passes in the order of its time", () => {
  const { set, block } = createBench();
  const called: number[] = [];
  for (const delayMs of [50, 10, 30, 20, 40]) set(delayMs, () => called.push(delayMs));
  block(100);
  assertEquals(called, [10, 20, 30, 40, 50]);
});

Deno.test("set() counts from the time that it is given", () => {
  const { wheel, set, advance } = createBench();
  advance(80);
  assertEquals(wheel.now(), 80);
  const called: string[] = [];
  set(80, () => called.push("from then"), 40);
  set(80, () => called.push("from now"));
  advance(40);
  assertEquals(called, ["from then"]);
  advance(40);
  assertEquals(called, ["from then", "from now"]);
});

Deno.test("a wheel that forgets delays forgets no deadline that waits", () => {
  const { set, advance } = createBench();
  const called: number[] = [];
  for (let delayMs = 1; delayMs <= 200; delayMs++) set(delayMs, () => called.push(delayMs));
  for (let time = 0; time < 208; time += 8) advance(8);
  for (let delayMs = 1; delayMs <= 200; delayMs++) set(delayMs, () => called.push(delayMs));
  advance(208);
  assertEquals(called.length, 400);
});

Deno.test("every deadline passes once, in time, unless it was cleared", () => {
  const steps = fc.array(fc.record({
    delayMs: fc.nat(200),
    advanceMs: fc.nat(50),
    clear: fc.boolean(),
  }));
  fc.assert(fc.property(steps, (steps) => {
    const { wheel, set, advance } = createBench();
    let time = 0;
    const calls = steps.map(() => 0);
    const due: number[] = [];
    steps.forEach(({ delayMs, advanceMs, clear }, index) => {
      const deadline = set(delayMs, () => {
        calls[index] = (calls[index] ?? 0) + 1;
      });
      due[index] = time + delayMs;
      if (clear) wheel.clear(deadline);
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

import { assertEquals, assertRejects } from "@std/assert";
import { type Job, LongWork } from "../../src/turns/long_work.ts";
import { Turns } from "../../src/turns/turns.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";
import { settle } from "../helpers/exchange.ts";

const NEVER = new AbortController().signal;

interface Bench {
  readonly clock: FakeClock;
  readonly work: LongWork;
  /** The names of the jobs whose steps were made. */
  readonly log: string[];
  /** Does a job of two steps; each takes as long as a turn may. Fulfils with the job's name. */
  run(name: string, job?: Partial<Job>): Promise<string | undefined>;
  /** Lets the event loop turn until nothing more is to be done. Returns how many turns were for long work. */
  finish(): Promise<number>;
}

function createBench(): Bench {
  const clock = createFakeClock();
  const work = new LongWork(new Turns(clock));
  const log: string[] = [];

  function* steps(name: string): Generator<undefined, string> {
    log.push(name);
    clock.advance(2);
    yield;
    log.push(name);
    clock.advance(2);
    return name;
  }

  return {
    clock,
    work,
    log,
    run: (name, job) => work.run(steps(name), { owner: name, size: 1, signal: NEVER, ...job }),
    async finish(): Promise<number> {
      for (let turns = 0;; turns++) {
        await settle();
        if (clock.turn() === 0) return turns;
        await settle();
        clock.turn(); // for others
      }
    },
  };
}

Deno.test("run() does one job after the other, a step in a turn", async () => {
  const { log, run, finish } = createBench();
  const results = Promise.all(["a", "b", "c"].map((name) => run(name)));
  await settle();
  assertEquals(log, []);
  assertEquals(await finish(), 7); // the last one has nothing to do
  assertEquals(log, ["a", "a", "b", "b", "c", "c"]);
  assertEquals(await results, ["a", "b", "c"]);
});

Deno.test("run() makes as many steps in a turn as two milliseconds allow", async () => {
  const clock = createFakeClock();
  const work = new LongWork(new Turns(clock));
  let made = 0;
  function* steps(): Generator<undefined, undefined> {
    while (made < 10) {
      made++;
      clock.advance(0.75);
      yield;
    }
  }
  const running = work.run(steps(), { owner: "a", size: 1, signal: NEVER });
  for (const expected of [0, 3, 6, 9, 10]) {
    await settle();
    assertEquals(made, expected);
    clock.turn(); // for long work
    await settle();
    clock.turn(); // for others
  }
  await running;
});

Deno.test("run() does short jobs before the long ones of others, but for the one that is under way", async () => {
  const { log, run, finish } = createBench();
  for (const name of ["a1", "a2", "a3"]) run(name, { owner: "a", size: 100 });
  await settle();
  run("b", { size: 90 });
  run("c", { size: 30 });
  await finish();
  assertEquals(log.filter((_, index) => index % 2 === 0), ["a1", "c", "b", "a2", "a3"]);
});

Deno.test("run() gives everyone the same share, also those who always have more to do", async () => {
  const { log, run, finish } = createBench();
  run("first", { size: 10 });
  for (let count = 0; count < 6; count++) run("a", { size: 10 });
  for (let count = 0; count < 3; count++) run("b", { size: 19 });
  await finish();
  const done = log.filter((_, index) => index % 2 === 0);
  assertEquals(done, ["first", ..."abaabaaba"]);
});

Deno.test("run() makes no further step for a signal that is aborted, and does the next job", async () => {
  const { clock, log, run, finish } = createBench();
  const before = new AbortController();
  const between = new AbortController();
  const results = Promise.all([
    run("a", { signal: between.signal }),
    run("b", { signal: before.signal }),
    run("c"),
  ]);
  before.abort();
  await settle();
  clock.turn();
  await settle();
  between.abort();
  await finish();
  assertEquals(await results, [undefined, undefined, "c"]);
  assertEquals(log, ["a", "c", "c"]);
});

Deno.test("run() rejects with what a step throws, and does the next job", async () => {
  const { work, run, finish } = createBench();
  // deno-lint-ignore require-yield -- it fails in its first step
  function* broken(): Generator<undefined, string> {
    throw new TypeError("broken");
  }
  const failing = assertRejects(
    () => work.run(broken(), { owner: "a", size: 1, signal: NEVER }),
    TypeError,
    "broken",
  );
  const next = run("b");
  await finish();
  await failing;
  assertEquals(await next, "b");
});

import { assertEquals, assertThrows } from "@std/assert";
import { LongTurns } from "../../src/turns/long_turns.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";

interface Bench {
  readonly clock: FakeClock;
  readonly turns: LongTurns;
  readonly log: string[];
  /** Asks for a turn for work that takes so long. */
  ask(name: string, tookMs?: number): void;
}

function createBench(): Bench {
  const clock = createFakeClock();
  const turns = new LongTurns(clock);
  const log: string[] = [];
  return {
    clock,
    turns,
    log,
    ask(name, tookMs = 0): void {
      turns.next(() => {
        log.push(name);
        turns.worked(tookMs);
      });
    },
  };
}

Deno.test("next() calls all that have asked in one turn, and those who ask then when the runtime has looked for input", () => {
  const { clock, log, turns, ask } = createBench();
  turns.next(() => {
    log.push("a");
    ask("c");
  });
  ask("b");
  assertEquals(log, []);
  clock.turn();
  assertEquals(log, ["a", "b"]);
  clock.turn();
  assertEquals(log, ["a", "b"]);
  clock.turn();
  assertEquals(log, ["a", "b", "c"]);
  assertEquals([clock.turn(), clock.turn(), clock.turn()], [1, 1, 0]);
  ask("d");
  clock.turn();
  assertEquals(log.at(-1), "d");
});

for (const { tookMs, restMs } of [{ tookMs: 9, restMs: 9 }, { tookMs: 400, restMs: 250 }]) {
  Deno.test(`next() lets long work rest for ${restMs} ms after a turn of ${tookMs} ms`, () => {
    const { clock, log, ask } = createBench();
    ask("long", tookMs);
    clock.turn();
    ask("next");
    while (clock.turn() > 0);
    clock.advance(restMs - 1);
    while (clock.turn() > 0);
    assertEquals(log, ["long"]);
    clock.advance(1);
    assertEquals(log, ["long", "next"]);
  });
}

Deno.test("next() adds up what was worked in a turn, and does not count what others did", () => {
  const { clock, log, turns, ask } = createBench();
  ask("first", 4);
  clock.turn();
  ask("second", 5);
  clock.advance(100);
  while (clock.turn() > 0);
  assertEquals(log, ["first", "second"]);
  ask("third", 5);
  turns.worked(4);
  clock.turn();
  ask("next");
  while (clock.turn() > 0);
  assertEquals(log.at(-1), "third");
  clock.advance(9);
  assertEquals(log.at(-1), "next");
});

Deno.test("next() lets nobody rest after a turn of 8 ms", () => {
  const { clock, log, ask } = createBench();
  ask("first", 8);
  clock.turn();
  ask("next");
  while (clock.turn() > 0);
  assertEquals(log, ["first", "next"]);
});

Deno.test("an action that throws ends the turns of no other", () => {
  const clock = createFakeClock();
  const turns = new LongTurns(clock);
  const done: string[] = [];
  turns.next(() => {
    throw new Error("broken");
  });
  turns.next(() => void done.push("in the same turn"));
  assertThrows(() => clock.turn(), Error, "broken");
  turns.next(() => void done.push("later"));
  while (clock.turn() > 0);
  assertEquals(done, ["in the same turn", "later"]);
});

import { assertEquals } from "@std/assert";
import { ReadingTurns } from "../../src/server/reading_turns.ts";
import { createFakeClock } from "../helpers/clock.ts";

const FRAMES_AT_ONCE = 256;

function createBench(): {
  readonly clock: ReturnType<typeof createFakeClock>;
  readonly turns: ReadingTurns;
  /** The names of the readers that went on, in their order. */
  readonly read: string[];
  wait(key: string, name?: string): void;
} {
  const clock = createFakeClock();
  const turns = new ReadingTurns(clock);
  const read: string[] = [];
  return {
    clock,
    turns,
    read,
    wait: (key, name = key) => turns.wait({ key, readOn: () => void read.push(name) }),
  };
}

Deno.test("ReadingTurns lets four sockets go on in a turn, in the order in which they waited", () => {
  const { clock, read, wait } = createBench();
  for (const name of "abcdef") wait(name);
  assertEquals(read, []);
  clock.turn();
  assertEquals(read.join(""), "abcd");
  clock.turn();
  assertEquals(read.join(""), "abcdef");
});

Deno.test("ReadingTurns shares the turns among keys, however many sockets a key has", () => {
  const { clock, read, wait } = createBench();
  for (let count = 0; count < 100; count++) wait("flooder", "f");
  wait("victim", "v");
  clock.turn();
  assertEquals(read.join(""), "fvff");
  wait("victim", "v");
  clock.turn();
  assertEquals(read.join("").slice(4), "fvff");
});

Deno.test("ReadingTurns lets a reader that pauses go on after 8 ms", () => {
  const { clock, turns, read } = createBench();
  turns.pause({ key: "a", readOn: () => void read.push("a") });
  clock.advance(7);
  clock.turn();
  assertEquals(read, []);
  clock.advance(1);
  clock.turn();
  assertEquals(read, ["a"]);
});

Deno.test("ReadingTurns needs no turn when no socket waits", () => {
  const { clock, wait } = createBench();
  assertEquals(clock.turn(), 0);
  wait("a");
  assertEquals([clock.turn(), clock.turn(), clock.turn()], [1, 1, 0]);
});

Deno.test("ReadingTurns lets all sockets wait after many frames in a short time, until the next turn", () => {
  const { clock, turns, wait } = createBench();
  for (let count = 1; count < FRAMES_AT_ONCE; count++) assertEquals(turns.count(), true);
  assertEquals([turns.count(), turns.count()], [false, false]);
  wait("a");
  assertEquals(turns.count(), false);
  clock.turn();
  assertEquals(turns.count(), true);
});

Deno.test("ReadingTurns lets no socket wait for many frames in a longer time", () => {
  const { clock, turns } = createBench();
  for (let count = 0; count < 10 * FRAMES_AT_ONCE; count++) {
    clock.advance(0.1);
    assertEquals(turns.count(), true);
  }
});

Deno.test("ReadingTurns ends a turn that takes long, and then counts no time until the next", () => {
  const { clock, turns, wait } = createBench();
  wait("a");
  clock.turn();
  assertEquals(turns.count(), true);
  clock.advance(2);
  assertEquals(turns.count(), false);
  clock.turn();
  clock.advance(2);
  assertEquals(turns.count(), true);
});

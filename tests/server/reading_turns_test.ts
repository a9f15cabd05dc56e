import { assertEquals } from "@std/assert";
import { ReadingTurns, type WaitingReader } from "../../src/server/reading_turns.ts";
import { LongTurns } from "../../src/turns/long_turns.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";

const FRAMES_AT_ONCE = 256;

interface Bench {
  readonly clock: FakeClock;
  readonly turns: ReadingTurns;
  /** The names of the readers that went on, in their order. */
  readonly read: string[];
  wait(key: string, options?: { readonly name?: string; waitsTo?: WaitingReader["waitsTo"] }): void;
  /** Lets the next turn for reading begin; those of others pass. Returns who went on in it. */
  turn(): string;
}

function createBench(): Bench {
  const clock = createFakeClock();
  const turns = new ReadingTurns(clock, new LongTurns(clock));
  const read: string[] = [];
  return {
    clock,
    turns,
    read,
    wait(key, { name = key, waitsTo = "read" } = {}): void {
      turns.wait({ key, waitsTo, readOn: () => void read.push(name) });
    },
    turn(): string {
      const before = read.length;
      for (let count = 0; count < 3 && read.length === before; count++) clock.turn();
      return read.slice(before).join("");
    },
  };
}

Deno.test("ReadingTurns lets four sockets go on in a turn, in the order in which they waited", () => {
  const { read, wait, turn } = createBench();
  for (const name of "abcdef") wait(name);
  assertEquals(read, []);
  assertEquals([turn(), turn()], ["abcd", "ef"]);
});

Deno.test("ReadingTurns shares the turns among keys, however many sockets a key has", () => {
  const { wait, turn } = createBench();
  for (let count = 0; count < 100; count++) wait("flooder", { name: "f" });
  wait("victim", { name: "v" });
  assertEquals(turn(), "fvff");
  wait("victim", { name: "v" });
  assertEquals(turn(), "fvff");
});

Deno.test("ReadingTurns lets one socket that sends long messages go on in a turn, beside four others", () => {
  const { wait, turn } = createBench();
  for (let count = 0; count < 10; count++) wait("a", { name: "L", waitsTo: "read a long message" });
  for (const name of "abcdef") wait(name);
  assertEquals([turn(), turn(), turn()], ["abcdL", "efL", "L"]);
});

Deno.test("ReadingTurns lets new sockets begin before those that send long messages: more each time, but one after a long turn", () => {
  const { clock, read, wait, turn } = createBench();
  for (let count = 0; count < 12; count++) wait("a", { name: "n", waitsTo: "begin" });
  wait("a", { name: "L", waitsTo: "read a long message" });
  wait("b");
  assertEquals([turn(), turn(), turn()], ["bn", "nn", "nnnn"]);
  assertEquals([turn(), turn()], ["nnnnn", "L"]);
  for (let count = 0; count < 3; count++) wait("a", { name: "n", waitsTo: "begin" });
  clock.advance(9);
  while (clock.turn() > 0);
  const before = read.length;
  clock.advance(9); // the rest of long work
  assertEquals([read.slice(before).join(""), turn()], ["n", "nn"]);
});

Deno.test("ReadingTurns lets one long message be handled in a turn, before others are read", () => {
  const { wait, turn } = createBench();
  wait("a", { name: "L", waitsTo: "read a long message" });
  wait("a", { name: "n", waitsTo: "begin" });
  for (let count = 0; count < 2; count++) {
    wait("a", { name: "H", waitsTo: "handle a long message" });
  }
  for (const name of "abcde") wait(name);
  assertEquals([turn(), turn(), turn(), turn()], ["abcdH", "eH", "n", "L"]);
});

Deno.test("mayBegin() is true for one of many that ask in a turn", () => {
  const { clock, turns } = createBench();
  assertEquals([turns.mayBegin(), turns.mayBegin()], [true, false]);
  clock.turn();
  assertEquals([turns.mayBegin(), turns.mayBegin()], [true, false]);
});

Deno.test("ReadingTurns lets a reader that pauses go on after 8 ms", () => {
  const { clock, turns, read } = createBench();
  turns.pause({ key: "a", waitsTo: "read", readOn: () => void read.push("a") });
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
  const counts = Array.from({ length: 4 }, () => clock.turn());
  assertEquals(counts, [1, 2, 1, 0]); // its turn, its end, and the end of that for long work
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

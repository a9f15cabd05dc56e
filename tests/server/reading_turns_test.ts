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

Deno.test("ReadingTurns lets one socket read a long message in a turn for long work, shared among keys", () => {
  const { wait, turn } = createBench();
  for (let count = 0; count < 3; count++) wait("a", { name: "A", waitsTo: "read a long message" });
  wait("b", { name: "B", waitsTo: "read a long message" });
  for (const name of "cdefg") wait(name);
  const turns = Array.from({ length: 9 }, () => turn()).join(" ");
  assertEquals(turns.replaceAll(/[^A-Z]/g, ""), "ABAA");
  assertEquals(turns.replaceAll(/[^a-z]/g, ""), "cdefg");
});

Deno.test("ReadingTurns lets long messages that have arrived be handled before others are read", () => {
  const { wait, turn } = createBench();
  wait("a", { name: "r", waitsTo: "read a long message" });
  for (let count = 0; count < 2; count++) {
    wait("a", { name: "h", waitsTo: "handle a long message" });
  }
  assertEquals(Array.from({ length: 6 }, () => turn()).join(""), "hhr");
});

Deno.test("ReadingTurns lets no key wait for all long messages that have arrived from another", () => {
  const { wait, turn } = createBench();
  for (let count = 0; count < 3; count++) {
    wait("flooder", { name: "f", waitsTo: "handle a long message" });
  }
  wait("victim", { name: "v", waitsTo: "read a long message" });
  assertEquals(Array.from({ length: 8 }, () => turn()).join(""), "fvff");
});

Deno.test("tryHandle() handles one long message in a turn, after which long work rests", () => {
  const { clock, turns, read, wait } = createBench();
  const handle = (): void => {
    read.push("now");
    clock.advance(5);
  };
  assertEquals([turns.tryHandle(100_000, handle), turns.tryHandle(100_000, handle)], [true, false]);
  wait("a", { name: "later", waitsTo: "handle a long message" });
  clock.turn();
  assertEquals(read, ["now", "later"]);
  wait("a", { name: "after the rest", waitsTo: "handle a long message" });
  while (clock.turn() > 0);
  clock.advance(9);
  assertEquals(read, ["now", "later"]);
  clock.advance(1);
  assertEquals(read, ["now", "later", "after the rest"]);
  while (clock.turn() > 0);
  assertEquals(turns.tryHandle(100_000, handle), true);
});

Deno.test("tryHandle() lets no more than 16 MiB wait", () => {
  const { turns } = createBench();
  const handled: number[] = [];
  const tryHandle = (size: number): boolean => turns.tryHandle(size, () => void handled.push(size));
  const MIB = 1024 * 1024;
  assertEquals([tryHandle(MIB), tryHandle(16 * MIB), tryHandle(16 * MIB + 1)], [true, false, true]);
  turns.countWaiting(15 * MIB);
  assertEquals([tryHandle(MIB), tryHandle(MIB + 2)], [false, true]);
  turns.countWaiting(-15 * MIB);
  assertEquals(tryHandle(16 * MIB), false);
  assertEquals(handled, [MIB, 16 * MIB + 1, MIB + 2]);
});

Deno.test("ReadingTurns lets the runtime look for input between turns that take six milliseconds together", () => {
  const { clock, turns, read } = createBench();
  const readOn = (): void => {
    read.push("a");
    clock.advance(0.75);
  };
  for (let count = 0; count < 12; count++) turns.wait({ key: "a", waitsTo: "read", readOn });
  const counts = Array.from({ length: 5 }, () => {
    clock.turn();
    return read.length;
  });
  assertEquals(counts, [0, 4, 8, 8, 12]); // a turn and its input, a turn, then input again
});

Deno.test("ReadingTurns lets a reader that pauses go on after 8 ms", () => {
  const { clock, turns, turn, read } = createBench();
  turns.pause({ key: "a", waitsTo: "read", readOn: () => void read.push("a") });
  clock.advance(7);
  assertEquals(turn(), "");
  clock.advance(1);
  assertEquals(turn(), "a");
});

Deno.test("ReadingTurns needs no turn when no socket waits", () => {
  const { clock, wait } = createBench();
  assertEquals(clock.turn(), 0);
  wait("a");
  const counts = Array.from({ length: 4 }, () => clock.turn());
  assertEquals(counts, [1, 1, 1, 0]); // the wait for input, the turn, and its end
});

Deno.test("ReadingTurns lets all sockets wait after many frames in a short time, until the next turn", () => {
  const { turns, wait, turn } = createBench();
  for (let count = 1; count < FRAMES_AT_ONCE; count++) assertEquals(turns.count(), true);
  assertEquals([turns.count(), turns.count()], [false, false]);
  wait("a");
  assertEquals(turns.count(), false);
  assertEquals([turn(), turns.count()], ["a", true]);
});

Deno.test("ReadingTurns lets no socket wait for many frames in a longer time", () => {
  const { clock, turns } = createBench();
  for (let count = 0; count < 10 * FRAMES_AT_ONCE; count++) {
    clock.advance(0.1);
    assertEquals(turns.count(), true);
  }
});

Deno.test("ReadingTurns ends a turn that takes long, and then counts no time until the next", () => {
  const { clock, turns, wait, turn } = createBench();
  wait("a");
  assertEquals([turn(), turns.count()], ["a", true]);
  clock.advance(2);
  assertEquals(turns.count(), false);
  clock.turn();
  clock.advance(2);
  assertEquals(turns.count(), true);
});

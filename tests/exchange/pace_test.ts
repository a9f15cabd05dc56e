import { assert, assertEquals, fail } from "@std/assert";
import { Pace, type Place } from "../../src/exchange/pace.ts";
import type { ConnectionQueue } from "../../src/exchange/record.ts";
import { createFakeClock } from "../helpers/clock.ts";

const MAX_WAIT_MS = 200;

interface Bench {
  readonly pace: Pace;
  /** The numbers of those that have started, in the order in which they did. */
  readonly started: readonly number[];
  /** Enters with a number, for a connection; by default all have the same. */
  enter(number: number, queue?: ConnectionQueue): Place;
  /** Gives back the places of these numbers. */
  leave(...numbers: readonly number[]): void;
  /** Makes one turn of the event loop after so many milliseconds; returns whether one was asked for. */
  turn(ms?: number): Promise<boolean>;
}

function createBench(): Bench {
  const clock = createFakeClock();
  const pace = new Pace(clock);
  const started: number[] = [];
  const places = new Map<number, Place>();
  const only: ConnectionQueue = { round: 0 };
  return {
    pace,
    started,
    enter(number, queue = only): Place {
      const place = pace.enter(queue);
      places.set(number, place);
      const granted = place.waitForStart();
      assertEquals(granted === undefined, !place.isWaiting);
      if (granted === undefined) started.push(number);
      else granted.then(() => started.push(number));
      return place;
    },
    leave(...numbers): void {
      for (const number of numbers) (places.get(number) ?? fail())[Symbol.dispose]();
    },
    async turn(ms = 0): Promise<boolean> {
      clock.advance(ms);
      const turns = clock.turn();
      assert(turns <= 1);
      await Promise.resolve();
      return turns === 1;
    },
  };
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

Deno.test("64 start at once, and no turn of the loop is asked for", async () => {
  const { enter, leave, turn, started } = createBench();
  for (const number of range(1, 64)) enter(number);
  assertEquals(started, range(1, 64));
  leave(1);
  enter(65);
  assertEquals(started, range(1, 65));
  assertEquals(await turn(), false);
});

Deno.test("others start in their order, as places are given back", async () => {
  const { enter, leave, turn, started } = createBench();
  for (const number of range(1, 70)) enter(number);
  leave(3, 5);
  enter(71); // a place is free, but six are before it
  await turn();
  assertEquals(started, range(1, 66));
  leave(...range(10, 20));
  await turn();
  assertEquals(started, range(1, 71));
  assertEquals(await turn(), false);
});

Deno.test("64 more start when few have ended for ten turns", async () => {
  const { enter, leave, turn, started } = createBench();
  for (const number of range(1, 200)) enter(number);
  for (let turns = 1; turns < 10; turns++) await turn();
  assertEquals(started.length, 64);
  await turn();
  assertEquals(started, range(1, 128));
  // Few that end meanwhile free no place: more than 64 are under way.
  leave(...range(1, 16));
  for (let turns = 0; turns < 10; turns++) await turn();
  assertEquals(started, range(1, 192));
  for (let turns = 0; turns < 10; turns++) await turn();
  assertEquals(started, range(1, 200));
  assertEquals(await turn(), false);
});

Deno.test("more than 16 that have ended put off the next 64, by ten turns", async () => {
  const { enter, leave, turn, started } = createBench();
  for (const number of range(1, 200)) enter(number);
  for (let turns = 1; turns < 10; turns++) await turn();
  leave(...range(1, 17));
  await turn();
  assertEquals(started, range(1, 81), "as many as have ended");
  for (let turns = 1; turns < 10; turns++) await turn();
  assertEquals(started, range(1, 81));
  await turn();
  assertEquals(started, range(1, 145));
});

Deno.test("no more start than end while many end", async () => {
  const { enter, leave, turn, started } = createBench();
  for (const number of range(1, 500)) enter(number);
  for (let turns = 0; turns < 40; turns++) {
    leave(...range(turns * 9 + 1, turns * 9 + 9));
    await turn(MAX_WAIT_MS / 50);
    assertEquals(started.length, 64 + 9 * (turns + 1));
  }
});

Deno.test("turns and ends of an earlier wait do not count for the next", async () => {
  const { enter, leave, turn, started } = createBench();
  for (const number of range(1, 65)) enter(number);
  for (let turns = 1; turns < 9; turns++) await turn();
  leave(...range(1, 2));
  await turn();
  assertEquals([started.length, await turn()], [65, false]);
  for (const number of range(66, 70)) enter(number);
  assertEquals(started, range(1, 66));
  for (let turns = 1; turns < 10; turns++) await turn();
  assertEquals(started, range(1, 66), "nine turns of ten");
  await turn();
  assertEquals(started, range(1, 70));
});

Deno.test("none waits for more than 200 ms and a turn if few do, however many end meanwhile", async () => {
  const { enter, leave, turn, started } = createBench();
  for (const number of range(1, 1000)) enter(number);
  while (started.length < 1000) await turn();
  enter(1001);
  await turn(MAX_WAIT_MS / 2);
  enter(1002);
  leave(...range(1, 20));
  await turn(MAX_WAIT_MS / 2 - 1);
  assertEquals(started.length, 1000);
  leave(...range(21, 40));
  await turn(1);
  assertEquals(started, range(1, 1001));
  leave(...range(41, 60));
  await turn(MAX_WAIT_MS / 2);
  await turn(); // after the runtime has looked for input
  assertEquals(started, range(1, 1002));
});

Deno.test("of many that have waited for 200 ms, 64 start in a turn, and between two turns there is input", async () => {
  const { enter, leave, turn, started } = createBench();
  for (const number of range(1, 64)) enter(number);
  for (const number of range(65, 300)) enter(number);
  await turn(MAX_WAIT_MS - 1);
  const counts = [started.length];
  for (let count = 0; count < 8; count++) {
    leave(...range(1 + 20 * count, 20 + 20 * count)); // so they do not wait for destinations
    await turn(count === 0 ? 1 : 0);
    counts.push(started.length);
  }
  assertEquals(counts, [64, 148, 148, 212, 212, 276, 276, 300, 300]);
  assertEquals(started, range(1, 300));
});

Deno.test("an exchange that gives up starts without a place, and gives none back", async () => {
  const { enter, leave, turn, started } = createBench();
  for (const number of range(1, 64)) enter(number);
  const waiting = range(65, 67).map((number) => enter(number));
  const [, second = fail()] = waiting;
  second.giveUp();
  await Promise.resolve();
  assertEquals(started, [...range(1, 64), 66]);
  leave(66, 1, 2);
  await turn();
  assertEquals(started, [...range(1, 64), 66, 65, 67]);
  assertEquals(waiting.map(({ isWaiting }) => isWaiting), [false, false, false]);
  assertEquals(await turn(), false);
  // The one that gave up took no place, so that two are free.
  leave(65, 67);
  for (const number of range(68, 70)) enter(number);
  assertEquals(started.slice(-2), [68, 69]);
});

Deno.test("giveUp() keeps a place that is held, and does nothing once it was given back", async () => {
  const { enter, leave, turn, started } = createBench();
  const places = range(1, 64).map((number) => enter(number));
  for (const place of places) place.giveUp();
  enter(65);
  await turn();
  assertEquals(started.length, 64, "all places are still taken");
  leave(1);
  places[0]?.giveUp();
  await turn();
  assertEquals(started, range(1, 65));
  enter(66);
  await turn();
  assertEquals(started, range(1, 65));
});

Deno.test("a place that is disposed of twice, or was never held, is given back at most once", async () => {
  const { enter, leave, turn, started } = createBench();
  for (const number of range(1, 66)) enter(number);
  leave(1, 1, 66);
  await turn();
  assertEquals(started, range(1, 65));
});

Deno.test("connections take turns: one with few exchanges does not wait for all of another", async () => {
  const { enter, leave, turn, started } = createBench();
  const [busy, other, third] = [{ round: 0 }, { round: 0 }, { round: 0 }];
  for (const number of range(1, 100)) enter(number, busy);
  enter(201, other);
  enter(202, other);
  enter(301, third);
  leave(...range(1, 4));
  await turn();
  assertEquals(started.slice(64), [65, 201, 301, 66]);
  enter(302, third);
  leave(...range(5, 7));
  await turn();
  assertEquals(started.slice(68), [202, 67, 302]);
});

Deno.test("a connection does not save up turns while it has no exchanges", async () => {
  const { enter, leave, turn, started } = createBench();
  const [busy, late] = [{ round: 0 }, { round: 0 }];
  for (const number of range(1, 80)) enter(number, busy);
  leave(...range(1, 10));
  await turn();
  for (const number of range(201, 205)) enter(number, late);
  leave(...range(11, 14));
  await turn();
  assertEquals(started.slice(74), [75, 201, 76, 202]);
});

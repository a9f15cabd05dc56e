import { assert, assertEquals, fail } from "@std/assert";
import { createPace, type Pace, type Paced } from "../../src/exchange/pace.ts";

const MAX_WAIT_MS = 200;

interface Bench {
  readonly pace: Pace;
  /** Those that have begun, in the order in which they did. */
  readonly begun: readonly number[];
  /** Enters with a number. */
  enter(number: number): Paced;
  /** Ends those with these numbers. */
  leave(...numbers: readonly number[]): void;
  /** One turn of the event loop after so many milliseconds; says whether one was asked for. */
  turn(ms?: number): Promise<boolean>;
}

function createPaced(): Paced {
  return { isUnderway: false, begin: undefined };
}

function createBench(): Bench {
  const actions: (() => void)[] = [];
  let time = 0;
  const pace = createPace({ soon: (action) => actions.push(action), now: () => time });
  const begun: number[] = [];
  const all = new Map<number, Paced>();
  return {
    pace,
    begun,
    enter(number): Paced {
      const paced = createPaced();
      all.set(number, paced);
      const entering = pace.enter(paced);
      if (entering === undefined) begun.push(number);
      else entering.then(() => begun.push(number));
      return paced;
    },
    leave(...numbers): void {
      for (const number of numbers) pace.leave(all.get(number) ?? createPaced());
    },
    async turn(ms = 0): Promise<boolean> {
      time += ms;
      const action = actions.shift();
      action?.();
      assert(actions.length <= 1);
      await Promise.resolve();
      return action !== undefined;
    },
  };
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

Deno.test("64 begin at once, and nobody looks at the loop", async () => {
  const { enter, leave, turn, begun } = createBench();
  for (const number of range(1, 64)) enter(number);
  assertEquals(begun, range(1, 64));
  leave(1);
  enter(65);
  assertEquals(begun, range(1, 65));
  assertEquals(await turn(), false);
});

Deno.test("others begin in their order, as places are given back", async () => {
  const { enter, leave, turn, begun } = createBench();
  for (const number of range(1, 70)) enter(number);
  leave(3, 5);
  enter(71); // a place is free, but six are before it
  await turn();
  assertEquals(begun, range(1, 66));
  leave(...range(10, 20));
  await turn();
  assertEquals(begun, range(1, 71));
  assertEquals(await turn(), false);
});

Deno.test("64 more begin when few have ended for ten turns", async () => {
  const { enter, leave, turn, begun } = createBench();
  for (const number of range(1, 200)) enter(number);
  for (let turns = 1; turns < 10; turns++) await turn();
  assertEquals(begun.length, 64);
  await turn();
  assertEquals(begun, range(1, 128));
  // Few that end meanwhile free no place: there are more than 64 underway.
  leave(...range(1, 16));
  for (let turns = 0; turns < 10; turns++) await turn();
  assertEquals(begun, range(1, 192));
  for (let turns = 0; turns < 10; turns++) await turn();
  assertEquals(begun, range(1, 200));
  assertEquals(await turn(), false);
});

Deno.test("no more begin than end while many end", async () => {
  const { enter, leave, turn, begun } = createBench();
  for (const number of range(1, 500)) enter(number);
  for (let turns = 0; turns < 40; turns++) {
    leave(...range(turns * 9 + 1, turns * 9 + 9));
    await turn(MAX_WAIT_MS / 50);
    assertEquals(begun.length, 64 + 9 * (turns + 1));
  }
});

Deno.test("none waits for more than 200 ms and a turn, however many end meanwhile", async () => {
  const { enter, leave, turn, begun } = createBench();
  for (const number of range(1, 1000)) enter(number);
  while (begun.length < 1000) await turn();
  enter(1001);
  await turn(MAX_WAIT_MS / 2);
  enter(1002);
  leave(...range(1, 20));
  await turn(MAX_WAIT_MS / 2 - 1);
  assertEquals(begun.length, 1000);
  leave(...range(21, 40));
  await turn(1);
  assertEquals(begun, range(1, 1001));
  leave(...range(41, 60));
  await turn(MAX_WAIT_MS / 2);
  assertEquals(begun, range(1, 1002));
});

Deno.test("who is told to begin needs no place, and gives none back", async () => {
  const { enter, leave, turn, begun } = createBench();
  for (const number of range(1, 64)) enter(number);
  const waiting = range(65, 67).map(enter);
  const [, second = fail()] = waiting;
  const begin = second.begin ?? fail();
  second.begin = undefined;
  begin();
  await Promise.resolve();
  assertEquals(begun, [...range(1, 64), 66]);
  leave(66, 1, 2);
  await turn();
  assertEquals(begun, [...range(1, 64), 66, 65, 67]);
  assertEquals(waiting.map(({ isUnderway }) => isUnderway), [true, false, true]);
  assertEquals(await turn(), false);
});

Deno.test("who leaves twice, or has not entered, gives back no place", async () => {
  const { pace, enter, leave, turn, begun } = createBench();
  for (const number of range(1, 66)) enter(number);
  pace.leave(createPaced());
  leave(1, 1, 66);
  await turn();
  assertEquals(begun, range(1, 65));
});

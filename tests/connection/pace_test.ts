import { assertEquals } from "@std/assert";
import { createPace, type Pace, type Paced } from "../../src/connection/pace.ts";

interface Bench {
  readonly pace: Pace;
  /** Those that have begun, in the order in which they did. */
  readonly begun: readonly number[];
  /** Enters with a number. */
  enter(number: number): Paced;
  /** Ends those with these numbers. */
  leave(...numbers: readonly number[]): void;
  /** One turn of the event loop; says whether one was asked for. */
  turn(): Promise<boolean>;
}

function createBench(): Bench {
  const actions: (() => void)[] = [];
  const pace = createPace({ soon: (action) => actions.push(action) });
  const begun: number[] = [];
  const all = new Map<number, Paced>();
  return {
    pace,
    begun,
    enter(number): Paced {
      const paced = { isUnderway: false };
      all.set(number, paced);
      const entering = pace.enter(paced);
      if (entering === undefined) begun.push(number);
      else entering.then(() => begun.push(number));
      return paced;
    },
    leave(...numbers): void {
      for (const number of numbers) pace.leave(all.get(number) ?? { isUnderway: false });
    },
    async turn(): Promise<boolean> {
      const action = actions.shift();
      action?.();
      assertEquals(actions.length <= 1, true);
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
  // Eight that end meanwhile free no place: there are more than 64 underway.
  leave(...range(1, 8));
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
    await turn();
    assertEquals(begun.length, 64 + 9 * (turns + 1));
  }
});

Deno.test("who leaves twice, or has not entered, gives back no place", async () => {
  const { pace, enter, leave, turn, begun } = createBench();
  for (const number of range(1, 66)) enter(number);
  pace.leave({ isUnderway: false });
  leave(1, 1, 66);
  await turn();
  assertEquals(begun, range(1, 65));
});

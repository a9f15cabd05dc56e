import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  type Asker,
  createLookups,
  type LookupLimits,
  type Lookups,
} from "../../src/policy/lookups.ts";

interface Bench extends Lookups {
  /** The names that were looked up, in their order. */
  readonly started: string[];
  /** Ends the lookup of a name, and waits until others have begun. */
  end(host: string): Promise<void>;
}

function createBench(limits: Partial<LookupLimits> = {}): Bench {
  const started: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<readonly string[]>>();
  const lookups = createLookups((host) => {
    started.push(host);
    const end = Promise.withResolvers<readonly string[]>();
    ends.set(host, end);
    return end.promise;
  }, { maxRunning: 4, maxPending: 100, maxPendingEach: 100, ...limits });
  return {
    ...lookups,
    started,
    async end(host): Promise<void> {
      const looking = lookups.look(host, undefined);
      ends.get(host)?.resolve(["8.8.8.8"]);
      await looking;
      await Promise.resolve();
    },
  };
}

function createAsker(key: string): Asker & { leave(): void } {
  const controller = new AbortController();
  return { caller: { key }, signal: controller.signal, leave: () => controller.abort() };
}

Deno.test("look() looks a name up once for all who ask for it", async () => {
  const bench = createBench();
  const first = bench.look("a", createAsker("one"));
  const second = bench.look("a", createAsker("two"));
  assertStrictEquals(first, second);
  await bench.end("a");
  assertEquals([await first, bench.started], [["8.8.8.8"], ["a"]]);
});

Deno.test("look() lets an asker hold as many threads as it leaves free", async () => {
  const bench = createBench();
  const [one, two] = [createAsker("one"), createAsker("two")];
  for (const host of ["1a", "1b", "1c", "1d"]) bench.look(host, one);
  assertEquals(bench.started, ["1a", "1b"]);
  bench.look("2a", two);
  bench.look("2b", two);
  assertEquals(bench.started, ["1a", "1b", "2a"]);
  bench.look("3a", createAsker("three"));
  bench.look("4a", createAsker("four"));
  assertEquals(bench.started, ["1a", "1b", "2a", "3a"]);
  await bench.end("3a");
  assertEquals(bench.started, ["1a", "1b", "2a", "3a", "4a"]);
  for (const host of ["4a", "2a"]) await bench.end(host);
  assertEquals(bench.started, ["1a", "1b", "2a", "3a", "4a", "2b"]);
});

Deno.test("look() lets go of a name that waits for a thread when nobody waits for it any longer", async () => {
  const bench = createBench({ maxRunning: 1, maxPending: 2 });
  bench.look("running", createAsker("one"));
  const [two, three] = [createAsker("two"), createAsker("three")];
  const looking = bench.look("a", two);
  bench.look("a", three);
  assertEquals(bench.look("b", two), undefined);
  two.leave();
  assertEquals(bench.look("b", two), undefined);
  three.leave();
  await assertRejects(async () => await looking, Error, "Nobody waits");
  assert(bench.look("b", createAsker("two")) !== undefined);
  await bench.end("running");
  assertEquals(bench.started, ["running", "b"]);
});

Deno.test("look() counts a lookup that runs until it has ended, though nobody waits for it", async () => {
  const bench = createBench({ maxRunning: 2 });
  const asker = createAsker("one");
  bench.look("a", asker);
  asker.leave();
  bench.look("b", createAsker("one"));
  assertEquals(bench.started, ["a"]);
  bench.look("c", createAsker("two"));
  assertEquals(bench.started, ["a", "c"]);
  await bench.end("c");
  assertEquals(bench.started, ["a", "c"]);
  await bench.end("a");
  assertEquals(bench.started, ["a", "c", "b"]);
});

Deno.test("look() refuses an asker's lookup too many, and no one else's", () => {
  const bench = createBench({ maxPendingEach: 3 });
  const one = createAsker("one");
  for (const host of ["a", "b", "c"]) assert(bench.look(host, one) !== undefined);
  assertEquals(bench.look("d", one), undefined);
  assert(bench.look("a", one) !== undefined);
  assert(bench.look("d", createAsker("two")) !== undefined);
});

Deno.test("look() rejects with the error of the lookup, and looks the name up again the next time", async () => {
  let count = 0;
  const lookups = createLookups(() => {
    count++;
    throw new Error("silent");
  }, { maxRunning: 1, maxPending: 1, maxPendingEach: 1 });
  for (const times of [1, 2]) {
    await assertRejects(async () => await lookups.look("a", undefined), Error, "silent");
    assertEquals(count, times);
  }
});

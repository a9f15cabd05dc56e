import { assertEquals } from "@std/assert";
import { MemoryBudget } from "../../src/limits/memory_budget.ts";
import {
  type MemoryReading,
  MemoryWatch,
  type WatchedConnection,
} from "../../src/limits/memory_watch.ts";
import { openAccount } from "../helpers/memory.ts";
import { createFakeClock } from "../helpers/clock.ts";

const MIB = 1024 * 1024;
const MAX_BYTES = 512 * MIB;
const TICK_MS = 50;

interface Bench extends Disposable {
  readonly budget: MemoryBudget;
  readonly ended: string[];
  /** Adds a connection; `hear()` is called when a message has arrived from it. */
  open(name: string, isBusy?: boolean): { hear(): void };
  /** Lets a tick pass with this much memory in addition to what the process began with. */
  tick(more?: Partial<MemoryReading>): void;
}

function createBench({ rss = 190 * MIB, heapUsed = 0 } = {}): Bench {
  const clock = createFakeClock();
  const budget = new MemoryBudget(200 * MIB, clock);
  const connections = new Set<WatchedConnection>();
  const ended: string[] = [];
  let more: Partial<MemoryReading> = {};
  const watch = new MemoryWatch({
    maxBytes: MAX_BYTES,
    maxHeapBytes: 1000 * MIB,
    budget,
    connections: () => connections,
    read: () => ({
      rss: rss + (more.rss ?? 0),
      heapTotal: more.heapTotal ?? 0,
      heapUsed: heapUsed + (more.heapUsed ?? 0),
      external: more.external ?? 0,
    }),
  }, clock);
  return {
    budget,
    ended,
    open(name, isBusy = false): { hear(): void } {
      const connection = {
        heardAt: -1,
        isBusy,
        endForMemory(): void {
          ended.push(name);
          connections.delete(connection);
        },
      };
      connections.add(connection);
      return { hear: () => void (connection.heardAt = budget.ticks) };
    },
    tick(reading = {}): void {
      more = reading;
      clock.advance(TICK_MS);
    },
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  };
}

Deno.test("growth that nothing explains ends the connections from which no message has arrived", () => {
  using bench = createBench();
  const [alive] = [bench.open("alive"), bench.open("fragments")];
  bench.tick();
  alive.hear();
  bench.tick({ rss: 50 * MIB });
  alive.hear();
  bench.tick({ rss: 63 * MIB });
  assertEquals(bench.ended, []);
  alive.hear();
  bench.tick({ rss: 66 * MIB });
  assertEquals(bench.ended, ["fragments"]);
});

Deno.test("growth of the heap, of buffers and of the number of connections is explained", () => {
  using bench = createBench();
  bench.open("idle");
  bench.tick();
  bench.tick({ rss: 120 * MIB, heapTotal: 60 * MIB, external: 60 * MIB });
  const account = openAccount(bench.budget);
  account.setBuffered(30 * MIB);
  const holds = Array.from({ length: 400 }, () => account.hold(0));
  bench.tick({ rss: 100 * MIB });
  assertEquals(bench.ended, []);
  for (const hold of holds) hold.release();
  account.hold(0).take(20 * MIB, true);
  bench.tick({ rss: 100 * MIB });
  assertEquals(bench.ended, []);
});

Deno.test("connections without an exchange are ended first, the latest first, an eighth at a time", () => {
  using bench = createBench();
  bench.open("busy", true);
  for (let index = 0; index < 9; index++) bench.open(`idle ${index}`);
  bench.tick();
  bench.tick({ rss: 70 * MIB });
  assertEquals(bench.ended, ["idle 8", "idle 7"]);
  for (let tick = 0; tick < 3; tick++) bench.tick({ rss: 70 * MIB });
  assertEquals(bench.ended.length, 2); // its effect is waited for
  for (let left = 7; left > 0; left--) {
    for (let tick = 0; tick < 4; tick++) bench.tick({ rss: 80 * MIB });
  }
  assertEquals(bench.ended.slice(2), [6, 5, 4, 3, 2, 1, 0].map((index) => `idle ${index}`));
  for (let tick = 0; tick < 4; tick++) bench.tick({ rss: 80 * MIB });
  assertEquals(bench.ended.slice(9), ["busy"]);
});

Deno.test("connections that have never sent a message are ended before others", () => {
  using bench = createBench();
  bench.open("never");
  for (let index = 0; index < 4; index++) bench.open(`heard ${index}`).hear();
  for (let tick = 0; tick < 12; tick++) bench.tick();
  bench.tick({ rss: 150 * MIB });
  assertEquals(bench.ended, ["never"]);
  for (let tick = 0; tick < 4; tick++) bench.tick({ rss: 150 * MIB });
  assertEquals(bench.ended, ["never", "heard 3", "heard 2"]);
});

Deno.test("when memory grows fast, all that have never sent a message are ended at once, and half of the others", () => {
  using bench = createBench();
  for (let index = 0; index < 20; index++) bench.open("never");
  bench.tick();
  bench.tick({ rss: 200 * MIB });
  assertEquals(bench.ended.length, 20);
  for (let index = 0; index < 20; index++) bench.open("heard").hear();
  for (let tick = 0; tick < 5; tick++) bench.tick();
  bench.tick({ rss: 200 * MIB });
  assertEquals(bench.ended.length, 30);
});

Deno.test("with no memory left, all suspects are ended at once", () => {
  using bench = createBench();
  for (let index = 0; index < 20; index++) bench.open("heard").hear();
  for (let tick = 0; tick < 5; tick++) bench.tick();
  bench.tick({ rss: 400 * MIB });
  assertEquals(bench.ended.length, 20);
});

Deno.test("a connection from which a message has just arrived is no suspect, and one is later", () => {
  using bench = createBench();
  const connection = bench.open("late");
  bench.tick();
  bench.tick({ rss: 80 * MIB });
  assertEquals(bench.ended, ["late"]);
  const heard = bench.open("heard");
  heard.hear();
  for (let tick = 0; tick < 10; tick++) bench.tick({ rss: 80 * MIB });
  assertEquals(bench.ended, ["late"]);
  for (let tick = 0; tick < 4; tick++) bench.tick({ rss: 80 * MIB });
  assertEquals(bench.ended, ["late", "heard"]);
  connection.hear();
});

Deno.test("memory that is freed and not returned to the system is no growth", () => {
  using bench = createBench();
  bench.open("idle");
  bench.tick();
  bench.tick({ rss: 200 * MIB, external: 200 * MIB });
  bench.tick({ rss: 200 * MIB });
  bench.tick({ rss: 200 * MIB, external: 30 * MIB }); // allocated, and used for the first time later
  bench.tick({ rss: 195 * MIB, external: 5 * MIB });
  bench.tick({ rss: 225 * MIB, external: 5 * MIB });
  assertEquals(bench.ended, []);
  bench.tick({ rss: 291 * MIB, external: 5 * MIB });
  assertEquals(bench.ended, ["idle"]);
});

Deno.test("growth is forgotten in time", () => {
  using bench = createBench();
  bench.open("idle");
  bench.tick();
  bench.tick({ rss: 60 * MIB });
  for (let tick = 0; tick < 140; tick++) bench.tick({ rss: 60 * MIB });
  bench.tick({ rss: 90 * MIB });
  assertEquals(bench.ended, []);
  bench.tick({ rss: 100 * MIB });
  assertEquals(bench.ended, ["idle"]);
});

Deno.test("memory is short with little of the process's memory or of the heap left", () => {
  using bench = createBench();
  bench.tick();
  assertEquals(bench.budget.isShort, false);
  bench.tick({ rss: 340 * MIB, external: 340 * MIB });
  assertEquals(bench.budget.isShort, true);
  bench.tick();
  assertEquals(bench.budget.isShort, false);
  bench.tick({ heapUsed: 801 * MIB });
  assertEquals(bench.budget.isShort, true);
});

Deno.test("with no memory left, the largest is ended in each tick, if that helps", () => {
  using bench = createBench();
  let ended = 0;
  const account = bench.budget.openAccount("a", {
    endLargest: () => void ended++,
    readBuffered: () => 0,
  });
  bench.tick();
  bench.tick({ rss: 400 * MIB, external: 400 * MIB });
  assertEquals(ended, 0);
  account.keep(50 * MIB);
  bench.tick({ rss: 400 * MIB, external: 400 * MIB });
  bench.tick({ rss: 400 * MIB, external: 400 * MIB });
  assertEquals(ended, 2);
});

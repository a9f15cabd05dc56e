import { assertEquals, assertRejects } from "@std/assert";
import { CONNECTION_BYTES, MemoryBudget } from "../../src/limits/memory_budget.ts";
import type { MemoryAccount } from "../../src/limits/memory_account.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";
import { settle } from "../helpers/exchange.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const MAX_BYTES = 100 * MIB;

interface Bench {
  readonly clock: FakeClock;
  readonly budget: MemoryBudget;
  /** The names of connections whose largest part was ended, in order. */
  readonly ended: string[];
  open(name: string, key?: string): MemoryAccount;
}

function createBench(shared?: { bytes: Float64Array; index: number }): Bench {
  const clock = createFakeClock();
  const budget = new MemoryBudget(MAX_BYTES, clock, shared);
  const ended: string[] = [];
  return {
    clock,
    budget,
    ended,
    open: (name, key = name) =>
      budget.openAccount(key, {
        endLargest: () => void ended.push(name),
        readBuffered: () => 0,
      }),
  };
}

Deno.test("an account keeps a third of the budget at most, and others are not limited by that", () => {
  const { open, budget } = createBench();
  const hold = open("a").hold(0);
  assertEquals(budget.maxConnectionBytes, Math.floor(MAX_BYTES / 3));
  assertEquals(hold.tryTake(MAX_BYTES / 3), false); // the connection itself keeps some
  assertEquals(hold.tryTake(33 * MIB), true);
  assertEquals(hold.tryTake(1 * MIB), false);
  assertEquals(open("b").hold(0).tryTake(24 * MIB), true);
});

Deno.test("the connections of an identity keep no more together than they leave for all others", () => {
  const { open } = createBench();
  const taken = Array.from(
    { length: 10 },
    (_, index) => open(`a${index}`, "a").hold(0).tryTake(10 * MIB),
  );
  // 40 MiB of 100: 10 MiB are a reserve, and 40 + 10 is more than what 100 - 10 - 40 leaves.
  assertEquals(taken.filter((isTaken) => isTaken).length, 4);
  assertEquals(open("b").hold(0).tryTake(20 * MIB), true);
});

Deno.test("a connection that keeps little needs nothing but free bytes", () => {
  const { open, budget } = createBench();
  for (const name of ["a", "b", "c", "d"]) open(name).hold(24 * MIB);
  assertEquals(open("e", "a").hold(0).tryTake(300 * KIB), false);
  assertEquals(open("f", "a").hold(0).tryTake(200 * KIB), true);
  open("g").hold(5 * MIB);
  assertEquals(budget.freeBytes < 0, true);
  assertEquals(open("h").hold(0).tryTake(1), false);
});

Deno.test("while memory is short, only connections that keep little are given bytes", () => {
  const { open, budget } = createBench();
  budget.isShort = true;
  assertEquals(open("a").hold(0).tryTake(1 * MIB), false);
  assertEquals(open("b").hold(0).tryTake(100 * KIB), true);
});

Deno.test("take() waits until bytes are given back, and the connection that keeps least goes first", async () => {
  const { open, clock } = createBench();
  const large = open("large", "a");
  large.hold(4 * MIB);
  const first = large.hold(20 * MIB);
  open("other", "b").hold(24 * MIB);
  open("another", "c").hold(24 * MIB);
  const order: string[] = [];
  const again = large.hold(0);
  const waiting = [
    Promise.resolve(again.take(20 * MIB)).then(() => order.push("large")),
    Promise.resolve(open("small", "d").hold(0).take(24 * MIB)).then(() => order.push("small")),
  ];
  assertEquals(clock.turn(), 0);
  first.release();
  assertEquals(clock.turn(), 1);
  await waiting[1];
  assertEquals(order, ["small"]);
  again.abort(new Error("over"));
  await assertRejects(async () => await waiting[0], Error, "over");
});

Deno.test("a hold that ends while it waits leaves nothing behind", async () => {
  const { open, budget } = createBench();
  const account = open("a");
  const hold = account.hold(10);
  const waiting = Promise.resolve(hold.take(99 * MIB));
  hold.abort(new TypeError("ended"));
  await assertRejects(() => waiting, TypeError, "ended");
  hold.release();
  hold.release();
  assertEquals(budget.keptBytes, CONNECTION_BYTES);
  budget.closeAccount(account);
  budget.closeAccount(account);
  assertEquals([budget.keptBytes, budget.freeBytes], [0, MAX_BYTES]);
});

Deno.test("holds that wait for each other: the one that keeps least is helped after half a second", async () => {
  const { open, clock, budget, ended } = createBench();
  const holds = Array.from({ length: 4 }, (_, index) => open(`a${index}`).hold(22 * MIB));
  const done: number[] = [];
  const waits = holds.map((hold, index) =>
    Promise.resolve(hold.take(8 * MIB)).then(() => done.push(index))
  );
  clock.advance(499);
  budget.tick();
  await undefined;
  assertEquals(done, []);
  clock.advance(1);
  budget.tick();
  await waits[0];
  assertEquals([done, ended], [[0], []]);
  holds.slice(1).forEach((hold) => hold.abort(undefined));
  await Promise.allSettled(waits);
});

Deno.test("when no bytes are left for half a second, the largest is ended", () => {
  const { open, clock, budget, ended } = createBench();
  open("a").hold(60 * MIB);
  open("b").hold(30 * MIB);
  open("c").hold(9 * MIB);
  const waiting = open("d").hold(0);
  Promise.resolve(waiting.take(8 * MIB)).catch(() => {});
  assertEquals(budget.isOverloaded, false);
  clock.advance(500);
  budget.tick();
  assertEquals([ended, budget.isOverloaded], [["a"], true]);
  clock.advance(4999);
  assertEquals(budget.isOverloaded, true);
  clock.advance(1);
  assertEquals(budget.isOverloaded, false);
  waiting.abort(undefined);
});

Deno.test("a connection that has closed is not ended again, and its buffer counts until TCP has ended", () => {
  const { open, clock, budget, ended } = createBench();
  const account = open("a");
  account.setBuffered(80 * MIB);
  budget.retireAccount(account);
  open("b").hold(15 * MIB);
  const waiting = open("c").hold(0);
  Promise.resolve(waiting.take(20 * MIB)).catch(() => {});
  clock.advance(500);
  budget.tick();
  assertEquals([ended, account.bufferedBytes], [["b"], 80 * MIB]);
  budget.closeAccount(account);
  assertEquals(account.bufferedBytes, 0);
  waiting.abort(undefined);
});

Deno.test("tick() reads what clients have not read yet", () => {
  const clock = createFakeClock();
  const budget = new MemoryBudget(MAX_BYTES, clock);
  let buffered = 0;
  const account = budget.openAccount("a", {
    endLargest: () => {},
    readBuffered: () => buffered,
  });
  account.setBuffered(buffered = 1000);
  assertEquals([account.keptBytes, account.bufferedBytes], [CONNECTION_BYTES + 1000, 1000]);
  buffered = 400;
  budget.tick();
  assertEquals([account.keptBytes, account.bufferedBytes], [CONNECTION_BYTES + 400, 400]);
  buffered = 0;
  budget.tick();
  buffered = 700; // not looked at, since nothing was told
  budget.tick();
  assertEquals(account.bufferedBytes, 0);
});

Deno.test("isolates share a budget through their numbers", () => {
  const bytes = new Float64Array(2);
  const [one, two] = [createBench({ bytes, index: 0 }), createBench({ bytes, index: 1 })];
  one.open("a").hold(24 * MIB);
  one.budget.tick();
  two.budget.tick();
  assertEquals(two.budget.freeBytes, MAX_BYTES - 24 * MIB - CONNECTION_BYTES);
  bytes[0] = 99 * MIB;
  two.budget.tick();
  assertEquals(two.open("b").hold(0).tryTake(2 * MIB), false);
});

Deno.test("take() while the same hold waits gets its bytes too: neither call waits for ever", async () => {
  const { open, budget, clock } = createBench();
  const other = open("other").hold(budget.freeBytes);
  const hold = open("a").hold(0);
  const taken: string[] = [];
  const first = Promise.resolve(hold.take(KIB)).then(() => taken.push("first"));
  const second = Promise.resolve(hold.take(KIB)).then(() => taken.push("second"));
  other.release();
  clock.turn();
  await Promise.all([first, second]);
  assertEquals([taken, hold.keptBytes], [["first", "second"], 2 * KIB]);
});

Deno.test("abort() ends all waits of a hold, and those that begin later", async () => {
  const { open, budget } = createBench();
  open("other").hold(budget.freeBytes);
  const hold = open("a").hold(0);
  const waits = [hold.take(KIB), hold.take(KIB)];
  hold.abort(new Error("aborted"));
  for (const wait of [...waits, hold.take(KIB)]) {
    await assertRejects(() => Promise.resolve(wait), Error, "aborted");
  }
});

Deno.test("a connection that waits is given no more than its share, however long nobody else takes anything", () => {
  const { open, budget, clock } = createBench();
  const account = open("a");
  for (let count = 0; count < 20; count++) {
    Promise.resolve(account.hold(0).take(8 * MIB)).catch(() => {});
    clock.advance(500);
    budget.tick();
  }
  assertEquals(account.keptBytes <= budget.maxConnectionBytes, true, `${account.keptBytes} bytes`);
});

Deno.test("take() with bytes to spare leaves them to others of the connection, or half of its share if they are more", () => {
  const { open } = createBench();
  for (
    const { spare, expected } of [{ spare: 14 * MIB, expected: 5 }, {
      spare: 60 * MIB,
      expected: 5,
    }]
  ) {
    const account = open(`a${spare}`);
    const holds = Array.from({ length: 8 }, () => account.hold(0));
    const waits = holds.map((hold) => hold.take(4 * MIB, true, spare));
    assertEquals(waits.filter((wait) => wait === undefined).length, expected);
    assertEquals(account.hold(0).tryTake(13 * MIB), true);
    for (const hold of holds) hold.abort(undefined);
    for (const wait of waits) wait?.catch(() => {});
    for (const hold of holds) hold.release();
  }
});

Deno.test("exchanges of a connection that wait for each other: the one that keeps most goes on, beyond the connection's share", async () => {
  const { open, budget, clock, ended } = createBench();
  const account = open("a");
  const holds = Array.from({ length: 4 }, (_, index) => account.hold((7 + index % 2) * MIB));
  const gone: number[] = [];
  const waits = holds.map((hold, index) =>
    Promise.resolve(hold.take(12 * MIB)).then(() => void gone.push(index))
  );
  clock.advance(499);
  budget.tick();
  await settle();
  assertEquals(gone, []);
  clock.advance(1);
  budget.tick();
  await settle();
  assertEquals([gone, ended], [[1], []]);
  for (const index of [1, 3, 0, 2]) {
    assertEquals(gone.at(-1), index);
    holds[index]?.release();
    for (let count = 0; count < 2; count++) {
      clock.turn();
      clock.advance(500);
      budget.tick();
      await settle();
    }
  }
  await Promise.all(waits);
  assertEquals(ended, []);
});

Deno.test("of exchanges of a connection that wait for each other, the largest is ended where none may go on", () => {
  const { open, budget, clock, ended } = createBench();
  const account = open("a");
  const holds = [20 * MIB, 12 * MIB].map((bytes) => account.hold(bytes));
  for (const hold of holds) Promise.resolve(hold.take(25 * MIB)).catch(() => {});
  clock.advance(500);
  budget.tick();
  assertEquals(ended, ["a"]);
  for (const hold of holds) hold.abort(undefined);
});

Deno.test("exchanges of a connection that wait for each other do not keep others waiting while bytes move", () => {
  const { open, budget, clock, ended } = createBench();
  const account = open("a");
  const holds = [15 * MIB, 15 * MIB].map((bytes) => account.hold(bytes));
  const busy = [open("b").hold(30 * MIB), open("c").hold(25 * MIB)];
  holds.push(open("d").hold(0));
  for (const hold of holds) Promise.resolve(hold.take(20 * MIB)).catch(() => {});
  for (let count = 0; count < 10; count++) {
    assertEquals(ended, count < 8 ? [] : ["a"]);
    clock.advance(400);
    busy[0]?.give(1);
    clock.turn();
    budget.tick();
  }
  for (const hold of holds) hold.abort(undefined);
});

Deno.test("a connection whose exchanges go on is not helped beyond its share", () => {
  const { open, budget, clock, ended } = createBench();
  const account = open("a");
  account.hold(20 * MIB); // it reads from its destination
  const waiting = account.hold(10 * MIB);
  Promise.resolve(waiting.take(12 * MIB)).catch(() => {});
  for (let count = 0; count < 20; count++) {
    clock.advance(500);
    budget.tick();
  }
  assertEquals([account.keptBytes < 31 * MIB, ended], [true, []]);
  waiting.abort(undefined);
});

Deno.test("what holds up an identity is ended, if nothing else does", () => {
  const { open, clock, budget, ended } = createBench();
  open("other").hold(20 * MIB);
  open("a1", "a").hold(30 * MIB);
  open("a2", "a").hold(15 * MIB);
  const waiting = open("a3", "a").hold(0);
  Promise.resolve(waiting.take(10 * MIB)).catch(() => {});
  clock.advance(500);
  budget.tick();
  assertEquals(ended, ["a1"]);
  waiting.abort(undefined);
});

Deno.test("take() after release() keeps nothing: a decoder may be late", async () => {
  const { open, budget } = createBench();
  const hold = open("a").hold(0);
  hold.release();
  await assertRejects(() => Promise.resolve(hold.take(KIB, true)), Error, "ended");
  assertEquals(budget.keptBytes, CONNECTION_BYTES);
});

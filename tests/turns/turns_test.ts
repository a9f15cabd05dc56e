import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { type Coding, decodeCodings } from "../../src/http/coding.ts";
import { Turns } from "../../src/turns/turns.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { createTurns } from "../helpers/turns.ts";
import { fakeBody, textOf } from "../http/fake_body.ts";

const FREE_COST = 1_048_576;

/** Calls `take` and records when it allows the work. */
async function takeAs(
  name: string,
  { turns, cost, log }: { turns: Turns; cost: number; log: string[] },
): Promise<void> {
  const waiting = turns.take(cost);
  if (waiting !== undefined) await waiting;
  log.push(name);
}

/** Fulfils when all microtasks are done. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

Deno.test("take() lets cheap work be done at once, and the rest in later turns in the order of the calls", async () => {
  const clock = createFakeClock();
  const turns = new Turns(clock);
  assertEquals([turns.take(FREE_COST - 1), turns.take(1), clock.turn()], [undefined, undefined, 0]);
  const log: string[] = [];
  for (const name of ["a", "b", "c"]) takeAs(name, { turns, cost: 1, log });
  await macrotask();
  assertEquals(log, []);
  clock.turn();
  takeAs("d", { turns, cost: 1, log });
  await macrotask();
  assertEquals(log, ["a"]);
  clock.turn();
  await macrotask();
  assertEquals(log, ["a", "b", "c"]);
  clock.turn();
  await macrotask();
  assertEquals(log, ["a", "b", "c", "d"]);
  while (clock.turn() > 0);
  assertEquals([turns.take(FREE_COST), clock.turn()], [undefined, 0]);
});

Deno.test("take() lets no more work be done in a turn than two milliseconds allow, nor that of more than 64 bodies", async () => {
  for (const { stepMs, expected } of [{ stepMs: 1, expected: 2 }, { stepMs: 0, expected: 64 }]) {
    const clock = createFakeClock();
    const turns = new Turns(clock);
    turns.take(FREE_COST);
    let done = 0;
    for (let count = 0; count < 100; count++) {
      turns.take(1)?.then(() => {
        done++;
        clock.advance(stepMs);
      });
    }
    for (let turn = 0; turn < 2; turn++) {
      for (const each of clock.actions()) {
        each();
        await macrotask(); // Deno does all microtasks between two callbacks
      }
    }
    assertEquals(done, expected);
  }
});

/** Returns how often the event loop turned while an action ran. */
async function turnsDuring(action: () => Promise<unknown>): Promise<number> {
  let count = 0;
  let isOver = false;
  (async () => {
    for (; !isOver; count++) await macrotask();
  })();
  await action();
  isOver = true;
  return count;
}

const LINES = 2000;
const ZEROS = new Uint8Array(8 * 1024 * 1024);
const LONG: readonly { name: string; codings: readonly Coding[]; coded: string; turns: number }[] =
  [
    { name: "members", codings: ["gzip"], coded: textOf(gzipSync("x")).repeat(LINES), turns: 20 },
    {
      name: "frames",
      codings: ["zstd"],
      coded: textOf(zstdCompressSync("x")).repeat(LINES),
      turns: 20,
    },
    { name: "gzip", codings: ["gzip"], coded: textOf(gzipSync(ZEROS)), turns: 5 },
    { name: "deflate", codings: ["deflate"], coded: textOf(deflateSync(ZEROS)), turns: 5 },
    { name: "br", codings: ["br"], coded: textOf(brotliCompressSync(ZEROS)), turns: 5 },
    { name: "zstd", codings: ["zstd"], coded: textOf(zstdCompressSync(ZEROS)), turns: 5 },
  ];

for (const { name, codings, coded, turns } of LONG) {
  Deno.test(`decodeCodings() returns to the event loop while it decodes a long body of ${name}`, async () => {
    const pieces = coded.match(/.{1,256}/gs) ?? [];
    const counted = await turnsDuring(async () =>
      await decodeCodings(fakeBody(pieces).body, codings, createTurns()).bytes(ZEROS.length)
    );
    assert(counted >= turns, `${counted}`);
  });
}

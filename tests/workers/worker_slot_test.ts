import { assertEquals } from "@std/assert";
import { allocateMemoryNumbers } from "../../src/service_memory.ts";
import type { FromWorker, StartMessage, ToWorker } from "../../src/workers/messages.ts";
import { createWorkerSlot, type WorkerSlot } from "../../src/workers/worker_slot.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";

const SHARED: StartMessage["shared"] = {
  turn: new Int32Array(new SharedArrayBuffer(4)),
  connections: new Int32Array(new SharedArrayBuffer(4)),
  limits: {},
  memoryBytes: 1,
  memory: allocateMemoryNumbers(1),
};

/** A slot whose threads and time are the test's. */
interface Fixture {
  readonly slot: WorkerSlot;
  readonly clock: FakeClock;
  /** The types of the messages that each thread was sent. */
  readonly threads: (ToWorker["type"])[][];
  /** The types of the messages that the slot passed on. */
  readonly received: FromWorker["type"][];
  /** Has the last thread send a message. */
  readonly send: (message: FromWorker) => void;
  isReplaced: boolean;
}

function setUp(): Fixture {
  const clock = createFakeClock();
  const threads: (ToWorker["type"])[][] = [];
  const received: FromWorker["type"][] = [];
  let send: (message: FromWorker) => void = () => {};
  const fixture = {
    clock,
    threads,
    received,
    send: (message: FromWorker) => send(message),
    isReplaced: true,
  };
  const slot = createWorkerSlot(7, {
    startThread: (start, receive) => {
      const posted: ToWorker["type"][] = [start.type];
      threads.push(posted);
      send = receive;
      return { post: ({ type }) => void posted.push(type) };
    },
    toStart: () => ({ type: "start", index: 7, sources: { env: {}, files: {} }, shared: SHARED }),
    onMessage: (_, { type }) => void received.push(type),
    isReplaced: () => fixture.isReplaced,
    clock,
  });
  return Object.assign(fixture, { slot });
}

const ENDED = { type: "ended", reason: "it was killed" } as const;
const LISTENING = { type: "listening", url: "http://x/", port: 1 } as const;

Deno.test("createWorkerSlot() starts a worker, passes its messages on and knows when it listens", () => {
  const { slot, threads, received, send } = setUp();
  send({ type: "ready" });
  slot.post({ type: "listen", port: 1 });
  assertEquals([slot.index, slot.isListening], [7, false]);
  send(LISTENING);
  assertEquals(slot.isListening, true);
  send(ENDED);
  assertEquals(slot.isListening, false);
  assertEquals([threads, received], [[["start", "listen"]], ["ready", "listening", "ended"]]);
});

Deno.test("next() fulfils with the next message of its type, for all who wait", async () => {
  const { slot, send } = setUp();
  const waiting = [slot.next("listening"), slot.next("listening")];
  send({ type: "ready" });
  send(LISTENING);
  assertEquals(await Promise.all(waiting), [LISTENING, LISTENING]);
  const again = slot.next("listening");
  send({ ...LISTENING, port: 2 });
  assertEquals(await again, { ...LISTENING, port: 2 });
});

Deno.test("next() fulfils with ended if the worker ends first", async () => {
  const { slot, send } = setUp();
  const waiting = [slot.next("drained"), slot.next("measured")];
  send(ENDED);
  assertEquals(await Promise.all(waiting), [ENDED, ENDED]);
});

Deno.test("createWorkerSlot() ignores messages of a worker that arrive after it has ended", () => {
  const { slot, received, send } = setUp();
  send(ENDED);
  send(LISTENING);
  send(ENDED);
  assertEquals([received, slot.isListening], [["ended"], false]);
});

Deno.test("createWorkerSlot() replaces workers after longer and longer pauses, until one has run for a minute", () => {
  const { slot, clock, threads, send } = setUp();
  const pauses = Array.from({ length: 11 }, () => {
    send(ENDED);
    const [pauseMs = NaN, ...others] = clock.delays;
    assertEquals(others, []);
    const started = threads.length;
    clock.advance(pauseMs - 1);
    assertEquals(threads.length, started);
    clock.advance(1);
    assertEquals(threads.length, started + 1);
    return pauseMs;
  });
  assertEquals(
    pauses,
    [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000],
  );
  clock.advance(60_001);
  send(ENDED);
  assertEquals(clock.delays, [100]);
  clock.advance(100);
  slot.post({ type: "drain" });
  assertEquals([threads.length, threads.at(-1)], [13, ["start", "drain"]]);
});

Deno.test("createWorkerSlot() does not replace a worker that has run for exactly a minute sooner", () => {
  const { clock, send } = setUp();
  send(ENDED);
  clock.advance(100);
  clock.advance(60_000);
  send(ENDED);
  assertEquals(clock.delays, [200]);
});

Deno.test("createWorkerSlot() replaces no worker once isReplaced() is false, even during the pause", () => {
  const fixture = setUp();
  const { clock, threads, send } = fixture;
  send(ENDED);
  fixture.isReplaced = false;
  assertEquals(clock.delays, [100]);
  clock.advance(100);
  assertEquals([clock.delays, threads.length], [[], 1]);
  send(ENDED);
  assertEquals(clock.delays, []);
});

import { assertEquals } from "@std/assert";
import { FrameSocket } from "../../src/connection/socket.ts";
import { createFakeWebSocket, type FakeWebSocket } from "../helpers/connection.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";
import { openAccount } from "../helpers/memory.ts";
import { settle } from "../helpers/exchange.ts";

interface Bench {
  readonly socket: FrameSocket;
  readonly webSocket: FakeWebSocket;
  readonly clock: FakeClock;
  /** What the listener was told. */
  readonly told: readonly (number | "paused")[];
  /** Returns the messages that were handed to the WebSocket, as texts. */
  handed(): readonly string[];
  /** Makes so many turns of the event loop, each of a millisecond. */
  turn(turns?: number): Promise<void>;
}

/** A socket whose frames wait with more than 100 bytes in the buffer. */
function createBench(
  { sendTimeoutMs = 60_000, maxWaiting = 10, ...webSocketOptions }:
    & { readonly sendTimeoutMs?: number; readonly maxWaiting?: number }
    & Parameters<typeof createFakeWebSocket>[0] = {},
): Bench {
  const clock = createFakeClock();
  const webSocket = createFakeWebSocket(webSocketOptions);
  const told: (number | "paused")[] = [];
  const options = { highWaterBytes: 100, sendTimeoutMs, maxWaiting, clock };
  const socket = new FrameSocket(webSocket, options, {
    closing: (code) => void told.push(code),
    paused: () => void told.push("paused"),
    memory: { account: openAccount() },
  });
  return {
    socket,
    webSocket,
    clock,
    told,
    handed: () => webSocket.messages.map(String),
    async turn(turns = 1): Promise<void> {
      for (let turn = 0; turn < turns; turn++) {
        clock.advance(1);
        clock.turn();
        await settle();
      }
    },
  };
}

/** Reports whether a promise has settled. */
async function isSettled(promise: unknown): Promise<boolean> {
  const pending = {};
  await settle();
  return await Promise.race([promise, pending]) !== pending;
}

Deno.test("send() hands a frame over at once while the buffer is at most at its mark", () => {
  const { socket, webSocket, handed, told, clock } = createBench();
  webSocket.buffered = 100;
  assertEquals(socket.send(() => "a"), undefined);
  assertEquals([handed(), told, clock.delays, clock.turn()], [["a"], [], [], 0]);
});

Deno.test("send() holds frames back above the mark, and hands them over in order below it", async () => {
  const { socket, webSocket, handed, turn } = createBench();
  webSocket.buffered = 101;
  const sending = [socket.send(() => "a"), socket.send(() => "b"), socket.send(() => undefined)];
  await turn();
  assertEquals([handed(), socket.isWaiting()], [[], true]);
  webSocket.buffered = 0;
  await turn();
  await Promise.all(sending);
  assertEquals([handed(), socket.isWaiting()], [["a", "b"], false]);
});

Deno.test("send() hands frames over one by one, as long as the buffer allows", async () => {
  const { socket, webSocket, handed, turn } = createBench({
    onSend: (webSocket) => void (webSocket.buffered = 101),
  });
  webSocket.buffered = 101;
  const sending = [socket.send(() => "a"), socket.send(() => "b")];
  webSocket.buffered = 0;
  await turn();
  assertEquals([handed(), await isSettled(sending[0]), await isSettled(sending[1])], [
    ["a"],
    true,
    false,
  ]);
  webSocket.buffered = 0;
  await turn();
  assertEquals(handed(), ["a", "b"]);
});

Deno.test("send() makes no frame before it can be handed over", async () => {
  const { socket, webSocket, turn } = createBench();
  let made = 0;
  webSocket.buffered = 101;
  socket.send(() => `${made++}`);
  await turn(5);
  assertEquals(made, 0);
  webSocket.buffered = 0;
  await turn();
  assertEquals(made, 1);
});

Deno.test("a listener is told once when frames start to wait because the client does not read", async () => {
  const { socket, webSocket, told, turn } = createBench();
  for (let times = 1; times <= 2; times++) {
    webSocket.buffered = 101;
    for (const name of ["a", "b"]) socket.send(() => name);
    socket.sendPart(() => "part");
    assertEquals(told, Array(times).fill("paused"));
    webSocket.buffered = 0;
    await turn();
    assertEquals(webSocket.messages.length, times * 3);
  }
});

Deno.test("a listener is not told of parts that wait only to keep the pace", async () => {
  const { socket, told, turn } = createBench();
  socket.send(() => "frame");
  const parts = [1, 2].map(() => socket.sendPart(() => new Uint8Array(70_000)));
  assertEquals([parts.map((part) => part === undefined), told], [[true, false], []]);
  await turn();
  await Promise.all(parts);
});

Deno.test("flushed() waits for the queue and for the WebSocket's buffer", async () => {
  const { socket, webSocket, handed, turn } = createBench();
  await socket.flushed();
  webSocket.buffered = 101;
  const sending = [socket.send(() => "a")];
  const flushed = [socket.flushed(), socket.flushed()];
  webSocket.buffered = 50;
  sending.push(socket.send(() => "b"));
  await turn();
  await Promise.all(sending);
  assertEquals([handed(), await isSettled(flushed[0])], [["a", "b"], false]);
  webSocket.buffered = 0;
  await turn();
  await Promise.all(flushed);
  await socket.flushed();
});

Deno.test("a socket polls no longer than something waits", async () => {
  const { socket, webSocket, clock, turn } = createBench();
  webSocket.buffered = 101;
  socket.send(() => "a");
  webSocket.buffered = 0;
  await turn();
  assertEquals([clock.delays, clock.turn()], [[], 0]);
});

Deno.test("a socket polls in each turn at first, and less and less often when nothing moves", () => {
  const { socket, webSocket, clock } = createBench();
  const delays: number[] = [];
  webSocket.buffered = 101;
  socket.sendPart(() => "a");
  let turns = 0;
  while (clock.turn() > 0) turns++;
  for (let polls = 0; polls < 20; polls++) {
    const [delayMs = 0] = clock.delays;
    delays.push(delayMs);
    clock.advance(delayMs);
  }
  assertEquals(turns, 100);
  const slower = Array.from({ length: 20 }, (_, index) => Math.min(Math.max(1, index), 16));
  assertEquals(delays, slower);
  webSocket.buffered = 100.5; // something moves: it polls in each turn again
  clock.advance(16);
  for (turns = 0; clock.turn() > 0;) turns++;
  assertEquals([turns, clock.delays], [100, [1]]);
});

Deno.test("a socket whose buffer does not move is closed with 4029, and what waits is dropped", async () => {
  const { socket, webSocket, handed, told, clock } = createBench({ sendTimeoutMs: 5 });
  webSocket.buffered = 101;
  const waiting = [socket.send(() => "a"), socket.flushed()];
  clock.advance(5);
  assertEquals(webSocket.closes, []);
  clock.advance(1);
  await Promise.all(waiting);
  assertEquals([handed(), webSocket.closes, told], [[], [4029], ["paused", 4029]]);
  assertEquals(socket.send(() => "b"), undefined);
  socket.close(1001);
  assertEquals([handed(), webSocket.closes, clock.delays], [[], [4029], []]);
});

Deno.test("a buffer that is never emptied closes with 4029, though no frame waits", async () => {
  const { socket, webSocket, turn } = createBench({ sendTimeoutMs: 5 });
  webSocket.buffered = 1;
  const flushed = socket.flushed();
  await turn(7);
  await flushed;
  assertEquals(webSocket.closes, [4029]);
});

Deno.test("one frame too many closes with 4029", async () => {
  const { socket, webSocket } = createBench({ maxWaiting: 1 });
  webSocket.buffered = 101;
  const first = socket.send(() => "a");
  assertEquals(socket.send(() => "b"), undefined);
  await first;
  assertEquals(webSocket.closes, [4029]);
});

Deno.test("close() closes with the code, tells the listener and drops what waits, once", async () => {
  const { socket, webSocket, handed, told } = createBench();
  webSocket.buffered = 101;
  const waiting = [socket.send(() => "a"), socket.sendPart(() => "b"), socket.flushed()];
  for (const code of [1001, 4500] as const) socket.close(code);
  await Promise.all(waiting);
  assertEquals([webSocket.closes, told, handed()], [[1001], ["paused", 1001], []]);
});

Deno.test("closed() ends every wait, and tells the listener nothing", async () => {
  const { socket, webSocket, handed, told, clock, turn } = createBench();
  webSocket.buffered = 101;
  const sending = [socket.send(() => "a"), socket.sendPart(() => "b")];
  const flushed = socket.flushed();
  socket.closed();
  assertEquals([clock.delays, clock.turn()], [[], 0]);
  await Promise.all([...sending, flushed]);
  webSocket.buffered = 0;
  assertEquals([socket.send(() => "c"), socket.sendPart(() => "d")], [undefined, undefined]);
  await socket.flushed();
  await turn();
  assertEquals([handed(), webSocket.closes, socket.isWaiting()], [[], [], false]);
  assertEquals(told, ["paused"]);
});

Deno.test("sendPart() hands a part over at once while the buffer is at most at its mark", () => {
  const { socket, webSocket, handed } = createBench();
  webSocket.buffered = 100;
  assertEquals(socket.sendPart(() => "a"), undefined);
  assertEquals(socket.sendPart(() => undefined), undefined);
  assertEquals(socket.sendPart(() => Uint8Array.of(1, 2)), undefined);
  assertEquals(handed(), ["a", "1,2"]);
});

Deno.test("sendPart() sends a part after every frame, and makes it when its turn has come", async () => {
  const { socket, webSocket, handed, turn } = createBench();
  webSocket.buffered = 101;
  const made: string[] = [];
  const part = (name: string, message?: string) =>
    socket.sendPart(() => {
      made.push(`${name} after ${handed().length}`);
      return message;
    });
  const sending = [
    part("a", "A"),
    socket.send(() => "1"),
    part("b"),
    socket.send(() => "2"),
    part("c", "C"),
  ];
  assertEquals([made, socket.isWaiting()], [[], true]);
  webSocket.buffered = 0;
  await turn();
  await Promise.all(sending);
  assertEquals(handed(), ["1", "2", "A", "C"]);
  assertEquals(made, ["a after 2", "b after 3", "c after 3"]);
});

Deno.test("sendPart() waits for the parts before it, though the buffer allows it", async () => {
  const { socket, webSocket, handed, turn } = createBench();
  webSocket.buffered = 101;
  const first = socket.sendPart(() => "first");
  webSocket.buffered = 0; // the socket has not looked yet
  const second = socket.sendPart(() => "second");
  assertEquals([second instanceof Promise, handed()], [true, []]);
  await turn();
  await Promise.all([first, second]);
  assertEquals(handed(), ["first", "second"]);
});

Deno.test("send() goes before parts that wait, and not after them", async () => {
  const { socket, webSocket, handed, turn } = createBench();
  webSocket.buffered = 101;
  const part = socket.sendPart(() => "part");
  webSocket.buffered = 0; // the socket has not looked yet
  assertEquals(socket.send(() => "frame"), undefined);
  await turn();
  await part;
  assertEquals(handed(), ["frame", "part"]);
});

Deno.test("sendPart() serves several streams in turn, and a frame before them all", async () => {
  // Each message fills the buffer, which empties slowly.
  const { socket, webSocket, handed, turn } = createBench({
    onSend: (webSocket) => void (webSocket.buffered = 103),
    onLook: (bytes) => bytes - 1,
  });
  async function stream(name: string): Promise<void> {
    for (let part = 1; part <= 3; part++) {
      await socket.sendPart(() => `${name}${part}`);
      if (name + part === "b1") await socket.send(() => "frame");
    }
  }
  webSocket.buffered = 103;
  const streams = Promise.all(["a", "b", "c"].map(stream));
  await turn(100);
  await streams;
  assertEquals(handed().slice(0, 4), ["a1", "b1", "frame", "c1"]);
  const parts = handed().filter((message) => message !== "frame");
  const rounds = [1, 2, 3].map((round) => parts.slice(round * 3 - 3, round * 3).toSorted());
  assertEquals(rounds, [1, 2, 3].map((round) => [`a${round}`, `b${round}`, `c${round}`]));
});

Deno.test("parts wait in any number, and a client that reads nothing is closed with 4029", async () => {
  const { socket, webSocket, handed, turn } = createBench({ sendTimeoutMs: 5, maxWaiting: 1 });
  webSocket.buffered = 101;
  const parts = Array.from({ length: 10 }, () => socket.sendPart(() => "a"));
  assertEquals(webSocket.closes, []);
  await turn(7);
  await Promise.all(parts);
  assertEquals([handed(), webSocket.closes], [[], [4029]]);
});

Deno.test("sendPart() is paced while frames are sent, and not otherwise", async () => {
  const { socket, webSocket, clock } = createBench();
  const part = (): void | Promise<void> => socket.sendPart(() => new Uint8Array(40_000));
  const count = (): number => webSocket.messages.length;
  for (let parts = 0; parts < 10; parts++) assertEquals(part(), undefined);
  socket.send(() => "frame");
  const paced = [part(), part(), part(), part()];
  assertEquals([paced.every((sending) => sending instanceof Promise), count()], [true, 11]);
  assertEquals(clock.delays, [1], "the next tick");
  clock.advance(1);
  assertEquals(count(), 13, "40,000 bytes, and as many again, reach the 65,536 of a tick");
  clock.advance(1);
  assertEquals(count(), 15);
  await Promise.all(paced);
});

Deno.test("sendPart() lets 65,536 bytes go in each tick while it is paced", () => {
  for (const [bytes, isPaced] of [[65_535, false], [65_536, true]] as const) {
    const { socket } = createBench();
    socket.send(() => "frame");
    socket.sendPart(() => undefined);
    socket.sendPart(() => new Uint8Array(bytes));
    assertEquals(socket.sendPart(() => "x") instanceof Promise, isPaced);
  }
});

Deno.test("sendPart() is paced by the bytes of parts alone, also among frames that have waited", async () => {
  const { socket, webSocket, turn } = createBench();
  webSocket.buffered = 101;
  socket.send(() => "x".repeat(70_000));
  for (const part of [undefined, new Uint8Array(65_535), "b", "c"]) socket.sendPart(() => part);
  webSocket.buffered = 0;
  await turn();
  assertEquals(webSocket.messages.map(({ length }) => length), [70_000, 65_535, 1]);
  for (const part of [new Uint8Array(65_534), "d", "e"]) socket.sendPart(() => part);
  await turn();
  assertEquals(webSocket.messages.length, 6, "c, and as many bytes as before");
});

Deno.test("sendPart() is paced for 250 ms after a frame, and not after a frame that parts follow", () => {
  for (
    const [isTraffic, afterMs, isPaced] of [
      [true, 249, true],
      [true, 250, false],
      [false, 0, false],
    ] as const
  ) {
    const { socket, clock } = createBench();
    socket.send(() => "frame", isTraffic);
    clock.advance(afterMs);
    for (let parts = 0; parts < 2; parts++) socket.sendPart(() => new Uint8Array(40_000));
    assertEquals(socket.sendPart(() => "x") instanceof Promise, isPaced);
  }
});

Deno.test("a buffer that moves is not given up, however long it takes", async () => {
  let isSlow = true;
  const { socket, webSocket, handed, turn } = createBench({
    sendTimeoutMs: 5,
    onLook: (bytes) => isSlow ? bytes - 1 : 0,
  });
  webSocket.buffered = 10_000;
  const part = socket.sendPart(() => "a");
  await turn(100);
  assertEquals([handed(), webSocket.closes], [[], []]);
  isSlow = false;
  await turn();
  await part;
  assertEquals([handed(), webSocket.closes], [["a"], []]);
});

Deno.test("a client is not given up whose buffer is as full as before because frames were sent", async () => {
  const { socket, webSocket, turn } = createBench({ sendTimeoutMs: 5 });
  webSocket.buffered = 50; // whenever the socket looks
  socket.send(() => "frame");
  const parts = Array.from({ length: 20 }, () => socket.sendPart(() => new Uint8Array(70_000)));
  await turn(20);
  await Promise.all(parts);
  assertEquals([webSocket.messages.length, webSocket.closes], [21, []]);
});

Deno.test("a buffer that has moved once and never again is given up", async () => {
  const { socket, webSocket, turn } = createBench({ sendTimeoutMs: 5 });
  webSocket.buffered = 200;
  const part = socket.sendPart(() => "a");
  webSocket.buffered = 150;
  await turn(6);
  assertEquals(webSocket.closes, []);
  await turn(6);
  await part;
  assertEquals(webSocket.closes, [4029]);
});

Deno.test("send() drops a frame when the WebSocket is closing by itself", () => {
  const webSocket = { ...createFakeWebSocket(), readyState: WebSocket.CLOSING };
  const options = { highWaterBytes: 1, sendTimeoutMs: 1, maxWaiting: 1, clock: createFakeClock() };
  const socket = new FrameSocket(webSocket, options, {
    closing: () => {},
    paused: () => {},
    memory: { account: openAccount() },
  });
  assertEquals([socket.send(() => "a"), socket.sendPart(() => "b")], [undefined, undefined]);
  assertEquals(webSocket.messages, []);
});

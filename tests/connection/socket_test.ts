import { assertEquals } from "@std/assert";
import { createFrameSocket, type FrameSocket } from "../../src/connection/socket.ts";

interface Bench {
  readonly socket: FrameSocket;
  /** What was handed to the WebSocket. */
  readonly handed: readonly string[];
  readonly closes: readonly (number | undefined)[];
  /** Sets what the WebSocket's buffer holds. */
  buffer(bytes: number): void;
  /** Is called with every message that was handed over. */
  onSend(sent: () => void): void;
  /** Gives what the buffer holds at each look, of what it held before. */
  onLook(look: (bytes: number) => number): void;
}

function createBench({ sendTimeoutMs = 60_000, maxWaiting = 10 } = {}): Bench {
  const handed: string[] = [];
  const closes: (number | undefined)[] = [];
  let sent = (): void => {};
  let look = (bytes: number): number => bytes;
  let buffered = 0;
  const webSocket = {
    readyState: WebSocket.OPEN as WebSocket["readyState"],
    get bufferedAmount(): number {
      return buffered = look(buffered);
    },
    send(text: unknown): void {
      handed.push(String(text));
      sent();
    },
    close(code?: number): void {
      webSocket.readyState = WebSocket.CLOSING;
      closes.push(code);
    },
  };
  const options = { highWaterBytes: 100, sendTimeoutMs, maxWaiting };
  return {
    socket: createFrameSocket(webSocket, options, { closing: () => {} }),
    handed,
    closes,
    buffer: (bytes) => void (buffered = bytes),
    onSend: (listener) => void (sent = listener),
    onLook: (looked) => void (look = looked),
  };
}

Deno.test("send() hands a frame over at once while the buffer is below its mark", () => {
  const { socket, handed, buffer } = createBench();
  buffer(100);
  assertEquals(socket.send(() => "a"), undefined);
  assertEquals(handed, ["a"]);
});

Deno.test("send() holds frames back above the mark, and hands them over in order below it", async () => {
  const { socket, handed, buffer } = createBench();
  buffer(101);
  const sending = [socket.send(() => "a"), socket.send(() => "b"), socket.send(() => undefined)];
  assertEquals([handed.length, socket.isWaiting()], [0, true]);
  buffer(0);
  await Promise.all(sending);
  assertEquals([handed, socket.isWaiting()], [["a", "b"], false]);
});

Deno.test("flushed() waits for the queue and for the WebSocket's buffer", async () => {
  const { socket, handed, buffer } = createBench();
  await socket.flushed();
  buffer(101);
  socket.send(() => "a");
  const flushed = socket.flushed();
  buffer(50);
  await socket.send(() => "b");
  assertEquals(handed, ["a", "b"]);
  buffer(0);
  await flushed;
});

Deno.test("a socket whose buffer does not move is closed with 4029, and what waits is dropped", async () => {
  const { socket, handed, closes, buffer } = createBench({ sendTimeoutMs: 5 });
  buffer(101);
  await Promise.all([socket.send(() => "a"), socket.flushed()]);
  assertEquals([handed, closes], [[], [4029]]);
  assertEquals(socket.send(() => "b"), undefined);
  socket.close(1001);
  assertEquals([handed, closes], [[], [4029]]);
});

Deno.test("one frame too many closes with 4029", async () => {
  const { socket, closes, buffer } = createBench({ maxWaiting: 1 });
  buffer(101);
  const first = socket.send(() => "a");
  assertEquals(socket.send(() => "b"), undefined);
  await first;
  assertEquals(closes, [4029]);
});

Deno.test("closed() lets go of everything that waits", async () => {
  const { socket, handed, closes, buffer } = createBench();
  buffer(101);
  const sending = [socket.send(() => "a"), socket.sendPart(() => "b")];
  const flushed = socket.flushed();
  socket.closed();
  await Promise.all([...sending, flushed]);
  buffer(0);
  assertEquals([socket.send(() => "c"), socket.sendPart(() => "d")], [undefined, undefined]);
  await socket.flushed();
  assertEquals([handed, closes, socket.isWaiting()], [[], [], false]);
});

Deno.test("sendPart() hands a part over at once while the buffer is below its mark", () => {
  const { socket, handed, buffer } = createBench();
  buffer(100);
  assertEquals(socket.sendPart(() => "a"), undefined);
  assertEquals(socket.sendPart(() => undefined), undefined);
  assertEquals(socket.sendPart(() => Uint8Array.of(1, 2)), undefined);
  assertEquals(handed, ["a", "1,2"]);
});

Deno.test("sendPart() stands behind every frame, and makes its part when its turn has come", async () => {
  const { socket, handed, buffer } = createBench();
  buffer(101);
  const made: string[] = [];
  const part = (name: string, message?: string) =>
    socket.sendPart(() => {
      made.push(`${name} behind ${handed.length}`);
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
  buffer(0);
  await Promise.all(sending);
  assertEquals(handed, ["1", "2", "A", "C"]);
  assertEquals(made, ["a behind 2", "b behind 3", "c behind 3"]);
});

Deno.test("send() goes before parts that wait, and not behind them", async () => {
  const { socket, handed, buffer } = createBench();
  buffer(101);
  const part = socket.sendPart(() => "part");
  buffer(0); // nobody has looked yet
  assertEquals(socket.send(() => "frame"), undefined);
  await part;
  assertEquals(handed, ["frame", "part"]);
});

Deno.test("sendPart() serves several streams in turn, and a frame before them all", async () => {
  const { socket, handed, buffer, onSend, onLook } = createBench();
  onSend(() => buffer(103)); // each message fills the buffer, which empties slowly
  onLook((bytes) => bytes - 1);
  async function stream(name: string): Promise<void> {
    for (let part = 1; part <= 3; part++) {
      await socket.sendPart(() => `${name}${part}`);
      if (name + part === "b1") await socket.send(() => "frame");
    }
  }
  buffer(103);
  await Promise.all(["a", "b", "c"].map(stream));
  assertEquals(handed.slice(0, 4), ["a1", "b1", "frame", "c1"]);
  const parts = handed.filter((message) => message !== "frame");
  const rounds = [1, 2, 3].map((round) => parts.slice(round * 3 - 3, round * 3).toSorted());
  assertEquals(rounds, [1, 2, 3].map((round) => [`a${round}`, `b${round}`, `c${round}`]));
});

Deno.test("parts wait in any number, and a client that reads nothing is closed with 4029", async () => {
  const { socket, handed, closes, buffer } = createBench({ sendTimeoutMs: 5, maxWaiting: 1 });
  buffer(101);
  await Promise.all(Array.from({ length: 10 }, () => socket.sendPart(() => "a")));
  assertEquals([handed, closes], [[], [4029]]);
});

Deno.test("sendPart() is paced while frames come and go, and never else", async () => {
  const { socket, handed } = createBench();
  const part = (): void | Promise<void> => socket.sendPart(() => new Uint8Array(40_000));
  for (let count = 0; count < 10; count++) assertEquals(part(), undefined);
  await socket.send(() => "frame");
  const paced = part();
  assertEquals([paced instanceof Promise, handed.length], [true, 11]);
  await Promise.all([paced, part(), part(), part()]);
  assertEquals(handed.length, 15);
});

Deno.test("a buffer that moves is not given up, however long it takes", async () => {
  const { socket, handed, closes, buffer, onLook } = createBench({ sendTimeoutMs: 5 });
  const started = performance.now();
  buffer(10_000);
  onLook((bytes) => performance.now() - started < 50 ? bytes - 1 : 0);
  await socket.sendPart(() => "a");
  assertEquals([handed, closes], [["a"], []]);
});

Deno.test("send() drops a frame when the WebSocket is closing by itself", () => {
  const handed: string[] = [];
  const webSocket = {
    readyState: WebSocket.CLOSING,
    bufferedAmount: 0,
    send: (text: unknown) => void handed.push(String(text)),
    close: () => {},
  };
  const options = { highWaterBytes: 1, sendTimeoutMs: 1, maxWaiting: 1 };
  createFrameSocket(webSocket, options, { closing: () => {} }).send(() => "a");
  assertEquals(handed, []);
});

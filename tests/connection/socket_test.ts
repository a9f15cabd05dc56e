import { assertEquals } from "@std/assert";
import { createFrameSocket, type FrameSocket } from "../../src/connection/socket.ts";

interface Bench {
  readonly socket: FrameSocket;
  /** What was handed to the WebSocket. */
  readonly handed: readonly string[];
  readonly closes: readonly (number | undefined)[];
  /** Sets what the WebSocket's buffer holds. */
  buffer(bytes: number): void;
}

function createBench({ sendTimeoutMs = 60_000, maxWaiting = 10 } = {}): Bench {
  const handed: string[] = [];
  const closes: (number | undefined)[] = [];
  const webSocket = {
    readyState: WebSocket.OPEN as number,
    bufferedAmount: 0,
    send: (text: unknown) => void handed.push(String(text)),
    close(code?: number): void {
      webSocket.readyState = WebSocket.CLOSING;
      closes.push(code);
    },
  };
  const options = { highWaterBytes: 100, sendTimeoutMs, maxWaiting, pollMs: 1 };
  return {
    socket: createFrameSocket(webSocket, options, { ended: () => {} }),
    handed,
    closes,
    buffer: (bytes) => void (webSocket.bufferedAmount = bytes),
  };
}

Deno.test("send() hands a frame over at once while the buffer is below its mark", () => {
  const { socket, handed, buffer } = createBench();
  buffer(100);
  assertEquals(socket.send("a"), undefined);
  assertEquals(handed, ["a"]);
});

Deno.test("send() holds frames back above the mark, and hands them over in order below it", async () => {
  const { socket, handed, buffer } = createBench();
  buffer(101);
  const sending = [socket.send("a"), socket.send("b"), socket.send("c", () => false)];
  assertEquals([handed.length, socket.isWaiting()], [0, true]);
  buffer(0);
  await Promise.all(sending);
  assertEquals([handed, socket.isWaiting()], [["a", "b"], false]);
});

Deno.test("flushed() waits for the queue and for the WebSocket's buffer", async () => {
  const { socket, handed, buffer } = createBench();
  await socket.flushed();
  buffer(101);
  socket.send("a");
  const flushed = socket.flushed();
  buffer(50);
  await socket.send("b");
  assertEquals(handed, ["a", "b"]);
  buffer(0);
  await flushed;
});

Deno.test("a socket whose buffer does not move is closed with 4029, and what waits is dropped", async () => {
  const { socket, handed, closes, buffer } = createBench({ sendTimeoutMs: 5 });
  buffer(101);
  await Promise.all([socket.send("a"), socket.flushed()]);
  assertEquals([handed, closes], [[], [4029]]);
  assertEquals(socket.send("b"), undefined);
  socket.close(1001);
  assertEquals([handed, closes], [[], [4029]]);
});

Deno.test("one frame too many closes with 4029", async () => {
  const { socket, closes, buffer } = createBench({ maxWaiting: 1 });
  buffer(101);
  const first = socket.send("a");
  assertEquals(socket.send("b"), undefined);
  await first;
  assertEquals(closes, [4029]);
});

Deno.test("closed() lets go of everything that waits", async () => {
  const { socket, handed, buffer } = createBench();
  buffer(101);
  const sending = socket.send("a");
  const flushed = socket.flushed();
  socket.closed();
  await Promise.all([sending, flushed]);
  assertEquals(handed, []);
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
  createFrameSocket(webSocket, options, { ended: () => {} }).send("a");
  assertEquals(handed, []);
});

/**
 * Real sockets: how many messages of one are read between two turns of the event loop, and what a client sees of a
 * close when it goes on sending.
 */
import { assert, assertEquals } from "@std/assert";
import { endsWith } from "@std/bytes/ends-with";
import { systemClock } from "../../src/clock.ts";
import { ReadingTurns, type WaitingReader } from "../../src/server/reading_turns.ts";
import { LongTurns } from "../../src/turns/long_turns.ts";
import { TurnReader, type TurnReaderListener } from "../../src/server/turn_reader.ts";
import { connectV1 } from "../helpers/client.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { closeFrame, connectRaw, rawFrame, TEXT } from "../helpers/raw_client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";

const BINARY = 0x82;
const PONG = 0x8a;
const MANY = 2000;
const CLIENT: TurnReaderListener = {
  key: "client",
  pongsArrived: () => {},
  messageWaits: () => {},
};

/** Sends frames in one write, and returns the largest number of messages and pongs in a turn, and of all. */
async function readInTurns(
  frame: Uint8Array<ArrayBuffer>,
  wanted: number,
): Promise<{ readonly most: number; readonly messages: number; readonly pongs: number }> {
  let [most, messages, pongs, inTurn] = [0, 0, 0, 0];
  let isCounting = true;
  const done = Promise.withResolvers<void>();
  const count = (): void => {
    most = Math.max(most, inTurn);
    inTurn = 0;
    if (isCounting) systemClock.soon(count);
  };
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.binaryType = "arraybuffer";
      const reader = new TurnReader(socket, {
        key: "client",
        pongsArrived(arrived): void {
          pongs += arrived;
          inTurn = Math.max(inTurn, arrived);
          if (messages + pongs >= wanted) done.resolve();
        },
        messageWaits(): void {},
      }, new ReadingTurns(systemClock, new LongTurns(systemClock)));
      socket.onopen = count;
      socket.onmessage = ({ data }) =>
        reader.take(data, () => {
          inTurn++;
          assertEquals(reader.webSocket.readyState, WebSocket.OPEN);
          if (++messages + pongs >= wanted) done.resolve();
        });
      return response;
    },
  );
  using client = await connectRaw(server.addr.port);
  const frames = new Uint8Array(frame.length * MANY);
  for (let at = 0; at < frames.length; at += frame.length) frames.set(frame, at);
  await client.write(frames);
  await done.promise;
  isCounting = false;
  return { most: Math.max(most, inTurn), messages, pongs };
}

Deno.test("TurnReader reads at most 32 messages in a turn, and loses none", async () => {
  const { most, messages } = await readInTurns(rawFrame(TEXT, "{}"), MANY);
  assertEquals([most <= 32, messages], [true, MANY], `${most} in a turn`);
});

Deno.test("TurnReader reads fewer messages in a turn that are longer", async () => {
  const { most, messages } = await readInTurns(rawFrame(BINARY, new Uint8Array(65_536)), MANY);
  assertEquals([most <= 2, messages], [true, MANY], `${most} in a turn`);
});

Deno.test("TurnReader tells of pongs, which have no event, and reads as many in a turn", async () => {
  const { most, messages, pongs } = await readInTurns(rawFrame(PONG, ""), MANY - 32);
  assertEquals([most <= 32, messages], [true, 0], `${most} in a turn`);
  assert(pongs >= MANY - 32);
});

Deno.test("TurnReader loses no message of a WebSocket that opens when no socket may go on reading", async () => {
  const turns = new ReadingTurns({ ...systemClock, now: () => 0 }, new LongTurns(systemClock));
  const received: string[] = [];
  const done = Promise.withResolvers<void>();
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      const reader = new TurnReader(socket, CLIENT, turns);
      socket.onopen = () => {
        while (turns.count()); // others have sent as many frames as are read at once
      };
      socket.onmessage = ({ data }) =>
        reader.take(data, () => {
          received.push(data);
          if (data === "the last") done.resolve();
        });
      return response;
    },
  );
  const sent = [...Array.from({ length: 1000 }, (_, i) => `${i}`), "the last"];
  using client = await connectRaw(server.addr.port);
  const frames = sent.map((text) => rawFrame(TEXT, text));
  await client.write(new Uint8Array(await new Blob(frames).arrayBuffer()));
  await done.promise;
  assertEquals(received, sent);
});

Deno.test("TurnReader handles long messages of many WebSockets one at a time, and loses none", async () => {
  const turns = new ReadingTurns(systemClock, new LongTurns(systemClock));
  const [sockets, messages, bytes] = [8, 6, 140_000];
  const received: number[][] = Array.from({ length: sockets }, () => []);
  let [handled, most, left] = [0, 0, sockets * messages];
  const done = Promise.withResolvers<void>();
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.binaryType = "arraybuffer";
      const reader = new TurnReader(socket, CLIENT, turns);
      socket.onmessage = ({ data }) =>
        reader.take(data, () => {
          const [from = 0, index = 0] = new Uint8Array(data);
          received[from]?.push(index);
          if (handled++ === 0) systemClock.soon(() => handled = 0);
          most = Math.max(most, handled);
          if (--left === 0) done.resolve();
        });
      return response;
    },
  );
  await using stack = new AsyncDisposableStack();
  await Promise.all(received.map(async (_, from) => {
    const client = stack.use(await connectRaw(server.addr.port));
    for (let index = 0; index < messages; index++) {
      const message = new Uint8Array(bytes);
      message.set([from, index]);
      await client.write(rawFrame(BINARY, message));
    }
  }));
  await done.promise;
  assertEquals(received, received.map(() => Array.from({ length: messages }, (_, i) => i)));
  assert(most <= 2, `${most} in a turn`); // one at once, and one in a turn for long work
});

Deno.test("TurnReader waits to handle a long message when no socket may go on reading, and counts it", async () => {
  const waits: WaitingReader["waitsTo"][] = [];
  const sizes: number[] = [];
  const done = Promise.withResolvers<TurnReader>();
  class Turns extends ReadingTurns {
    override wait({ waitsTo }: WaitingReader): void {
      waits.push(waitsTo);
      done.resolve(reader);
    }
  }
  const turns = new Turns({ ...systemClock, now: () => 0 }, new LongTurns(createFakeClock()));
  let reader: TurnReader;
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      reader = new TurnReader(
        socket,
        { ...CLIENT, messageWaits: (bytes) => sizes.push(bytes) },
        turns,
      );
      socket.onopen = () => {
        while (turns.count()); // others have sent as many frames as are read at once
        turns.tryHandle(100_000, () => {}); // and a long message
      };
      socket.onmessage = ({ data }) => reader.take(data, () => {});
      return response;
    },
  );
  using client = await connectRaw(server.addr.port);
  await client.write(rawFrame(TEXT, "x".repeat(140_000)));
  const waiting = await done.promise;
  assertEquals([waits, sizes], [["handle a long message"], [140_000]]);
  waiting.terminate(() => {});
  assertEquals(sizes, [140_000, -140_000]);
  waiting.take("x".repeat(140_000), () => {});
  assertEquals(sizes, [140_000, -140_000]);
});

const CLOSES = [
  {
    code: 4500,
    reason: "Too many malformed or needless frames",
    frames: Array.from({ length: 16 }, () => "{"),
  },
  {
    code: 4500,
    reason: "Too many malformed or needless frames",
    frames: Array.from({ length: 20_000 }, () => '{"type":"cancel","id":9}'),
  },
  {
    code: 4509,
    reason: "An id was used while in flight",
    frames: Array.from(
      { length: 2 },
      () => '{"type":"request","id":1,"url":"http://127.0.0.1:1/","timeoutMs":1000}',
    ),
  },
];

for (const { code, reason, frames } of CLOSES) {
  Deno.test(`a client that goes on sending ${frames.length} frames and more receives the close code ${code}`, async () => {
    await using service = startService(LOOPBACK);
    using client = await connectRaw(service.port, { "sec-websocket-protocol": "wsfetch.v1" });
    const more = Array.from({ length: 100 }, () => '{"type":"ping"}');
    const all = [...frames, ...more].map((text) => rawFrame(TEXT, text));
    await client.write(new Uint8Array(await new Blob(all).arrayBuffer()));
    const received = await client.readToEnd();
    assert(endsWith(received, closeFrame(code, reason)), "no Close frame");
    const { closedBy, code: logged } = await service.logged("disconnected");
    assertEquals([closedBy, logged], ["server", code]);
  });
}

Deno.test("a client whose WebSocket goes on sending sees the code 4500", async () => {
  await using service = startService(LOOPBACK);
  await using client = await connectV1(service.url);
  for (let count = 0; count < 100; count++) client.send("{");
  assertEquals((await client.closed).code, 4500);
});

Deno.test("a connection that floods does not hold up another", async () => {
  await using service = startService(LOOPBACK);
  await using victim = await connectV1(service.url);
  using flooder = await connectRaw(service.port, { "sec-websocket-protocol": "wsfetch.v1" });
  const frame = rawFrame(TEXT, '{"type":"cancel","id":9}');
  const frames = new Uint8Array(
    await new Blob(Array.from({ length: 5000 }, () => frame)).arrayBuffer(),
  );
  const closed = flooder.readToEnd();
  let pongs = 0;
  const flooding = (async () => {
    for (;;) await flooder.write(frames);
  })().catch(() => {});
  const ended = closed.then(() => "closed");
  while (pongs < 1000) { // more than some thousand pings would be a flood, too
    const first = await Promise.race([
      ended,
      victim.ask({ type: "ping" }).then(({ type }) => type),
    ]);
    if (first === "closed") break;
    pongs++;
  }
  await ended;
  await flooding;
  assert(pongs > 10, `${pongs} answers while the flood went on`);
});

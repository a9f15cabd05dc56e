import { assert, assertEquals, fail } from "@std/assert";
import { createDeadline } from "../../src/connection/deadline.ts";
import { createDeliver } from "../../src/exchange/deliver.ts";
import { createWheel } from "../../src/exchange/wheel.ts";
import { v1 } from "../../src/dialect/v1.ts";
import { toLines, toServerSentEvents } from "../../src/exchange/events.ts";
import type { ForwardResponse } from "../../src/forward/forward.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createBlankExchange } from "../helpers/exchange.ts";

Deno.test("deliver() reads no body while the client does not read, and sends it then", async () => {
  const deliver = createDeliver(
    { maxResponseBytes: 10, maxStreamBytes: 10, streamIdleMs: 1000 },
    { toServerSentEvents, toLines },
  );
  const exchange = createBlankExchange();
  const drained = Promise.withResolvers<void>();
  let isFull = true;
  let reads = 0;
  const texts: unknown[] = [];
  const response: ForwardResponse = {
    status: 200,
    statusText: "OK",
    url: "http://x/",
    redirected: false,
    headers: [],
    length: 2,
    isHere: true,
    bytes(): Uint8Array<ArrayBuffer> {
      reads++;
      return new TextEncoder().encode("ok");
    },
    chunks: () => null,
    discard: () => {},
  };
  const send = (make: () => unknown): void | Promise<void> => {
    if (isFull) return drained.promise.then(() => void texts.push(make()));
    texts.push(make());
  };
  const delivering = deliver(response, {
    exchange,
    outlet: {
      answered: () => {},
      dialect: v1,
      socket: {
        send,
        sendPart: send,
        isWaiting: () => isFull,
        flushed: () => drained.promise,
        close: () => {},
        closed: () => {},
      },
      limiter: { count: () => {}, spend: () => {} },
      key: "k",
      creditIdleMs: 1000,
      failed: (error) => Promise.reject(error),
    },
    deadline: createDeadline(exchange.controller, createWheel()),
    silent: () => new ProxyError("http_response_timeout", ""),
  });
  assert(delivering instanceof Promise);
  assertEquals([reads, texts.length], [0, 0]);
  isFull = false;
  drained.resolve();
  await delivering;
  const [nothing, frame] = texts;
  assertEquals([reads, nothing, JSON.parse(String(frame)).text], [1, undefined, "ok"]);
});

Deno.test("deliver() times what the destination takes for each chunk, and nothing else", async () => {
  const steps: string[] = [];
  const note = (step: string) => (): void => void steps.push(step);
  const deliver = createDeliver(
    { maxResponseBytes: 10, maxStreamBytes: 10, streamIdleMs: 1000 },
    { toServerSentEvents, toLines },
  );
  async function* chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (const byte of [1, 2]) {
      steps.push("read");
      yield await Promise.resolve(Uint8Array.of(byte));
    }
    steps.push("end");
  }
  await deliver({
    status: 200,
    statusText: "OK",
    url: "http://x/",
    redirected: false,
    headers: [],
    length: undefined,
    isHere: false,
    bytes: () => fail(),
    chunks,
    discard: () => {},
  }, {
    exchange: createBlankExchange({ stream: true }),
    outlet: {
      answered: () => {},
      dialect: v1,
      socket: {
        send: (make) => void make(),
        sendPart(make): void {
          if (make() !== undefined) steps.push("send");
        },
        isWaiting: () => false,
        flushed: () => Promise.resolve(),
        close: () => {},
        closed: () => {},
      },
      limiter: { count: () => {}, spend: () => {} },
      key: "k",
      creditIdleMs: 1000,
      failed: (error) => Promise.reject(error),
    },
    deadline: { set: note("set"), clear: note("clear") },
    silent: () => new ProxyError("http_response_timeout", ""),
  });
  const chunk = ["set", "read", "clear", "send"];
  assertEquals(steps, [...chunk, ...chunk, "set", "end", "clear", "send"]);
});

import { assertEquals, assertRejects, fail } from "@std/assert";
import { createRunExchange, type ExchangeContext } from "../../src/connection/exchange.ts";
import { v1 } from "../../src/dialect/v1.ts";
import { createLimiter } from "../../src/limits/limiter.ts";
import { createMemoryStore } from "../../src/limits/memory_store.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createRegistry } from "../../src/upstream/registry.ts";
import { createBlankExchange } from "../helpers/exchange.ts";

Deno.test("createRunExchange() makes no request for which the time is over when its turn comes", async () => {
  const limiter = createLimiter({
    maxConnections: 0,
    maxInFlight: 0,
    requestsPerSecond: 0,
    requestBurst: 0,
    bytesPerMinute: 0,
  }, createMemoryStore);
  const runExchange = createRunExchange({
    allowMethods: ["GET"],
    maxRequestBytes: 1,
    maxResponseBytes: 1,
    maxStreamBytes: 1,
    streamIdleMs: 1000,
    timeoutMs: 1000,
    maxTimeoutMs: 1000,
  }, {
    limiter,
    registry: createRegistry([], { getStatus: () => fail() }),
    policy: { decide: () => fail() },
    forward: () => fail(),
    toServerSentEvents: () => fail(),
    toLines: () => fail(),
  });
  const exchange = createBlankExchange({ target: new URL("http://a.example/"), timeoutMs: 50 });
  const late = { ...exchange, times: { ...exchange.times, startedAt: performance.now() - 50 } };
  const context: ExchangeContext = {
    subject: undefined,
    key: "k",
    dialect: v1,
    socket: {
      send: () => fail(),
      sendPart: () => fail(),
      isWaiting: () => fail(),
      flushed: () => fail(),
      close: () => fail(),
      closed: () => fail(),
    },
    limiter,
    creditIdleMs: 1,
    answered: () => fail(),
    decided: () => fail(),
    failed: () => fail(),
  };
  const error = await assertRejects(() => runExchange(late, context), ProxyError);
  assertEquals(
    [error.code, error.sent, error.retryable, error.message],
    ["http_response_timeout", "no", true, "The request could not be made within 50 ms"],
  );
});

import { assertEquals, assertRejects, assertStrictEquals, fail } from "@std/assert";
import {
  createRunExchange,
  type ExchangeContext,
  type ExchangeDeps,
  type RunExchange,
} from "../../src/connection/exchange.ts";
import { failExchange } from "../../src/connection/in_flight.ts";
import { createPace, type Paced } from "../../src/connection/pace.ts";
import type { Entry } from "../../src/connection/wheel.ts";
import { v1 } from "../../src/dialect/v1.ts";
import { createLimiter } from "../../src/limits/limiter.ts";
import { createMemoryStore } from "../../src/limits/memory_store.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createRegistry } from "../../src/upstream/registry.ts";
import { createBlankExchange } from "../helpers/exchange.ts";
import { NO_LIMITS } from "../helpers/limits.ts";

interface Bench {
  readonly runExchange: RunExchange;
  readonly context: ExchangeContext;
  /** Those that wait: all that have entered. */
  readonly waiting: readonly Paced[];
}

/** Exchanges that wait until they are told to begin, and of which no request may be made. */
function createBench(
  deps: Partial<Pick<ExchangeDeps, "forward" | "policy" | "wheel">> = {},
): Bench {
  const waiting: Paced[] = [];
  const limiter = createLimiter(NO_LIMITS, createMemoryStore);
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
    ...deps,
  });
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
    pace: {
      enter(paced): Promise<void> {
        waiting.push(paced);
        return new Promise((begin) => {
          paced.begin = begin;
        });
      },
      leave: () => fail(),
    },
    answered: () => fail(),
    decided: () => fail(),
    failed: () => fail(),
  };
  return { runExchange, context, waiting };
}

Deno.test("createRunExchange() makes no request for which the time is over when its turn comes", async () => {
  const { runExchange, context } = createBench();
  const exchange = createBlankExchange({ timeoutMs: 50 });
  const late = { ...exchange, times: { ...exchange.times, startedAt: performance.now() - 50 } };
  const running = runExchange(late, { ...context, pace: createPace() });
  const error = await assertRejects(() => running, ProxyError);
  assertEquals(
    [error.code, error.sent, error.retryable, error.message],
    ["http_response_timeout", "no", true, "The request could not be made within 50 ms"],
  );
});

Deno.test("createRunExchange() makes no request that is cancelled before its turn comes", async () => {
  const { runExchange, context, waiting } = createBench();
  const exchange = createBlankExchange();
  const reason = new ProxyError("draining", "The server goes away");
  const running = runExchange(exchange, context);
  assertEquals(waiting, [exchange]);
  failExchange(exchange, reason);
  const error = await assertRejects(() => running, ProxyError);
  assertStrictEquals(error, reason);
  assertEquals(exchange.begin, undefined);
});

Deno.test("createRunExchange() does not let wait what it refuses", async () => {
  const { runExchange, context, waiting } = createBench();
  for (const request of [{ method: "BREW" }, { target: { upstream: "none", path: "/" } }]) {
    await assertRejects(() => runExchange(createBlankExchange(request), context), ProxyError);
  }
  assertEquals(waiting, []);
});

Deno.test("createRunExchange() takes its deadline back when the request has failed", async () => {
  const entries: Entry[] = [];
  const wheel = {
    set(delayMs: number, callback: () => void): Entry {
      const entry = { tick: delayMs, callback };
      entries.push(entry);
      return entry;
    },
    clear: (entry: Entry) => void entries.splice(entries.indexOf(entry), 1),
  };
  let during = 0;
  const reason = new ProxyError("connection_refused", "Refused");
  const { runExchange, context } = createBench({
    wheel,
    forward(): Promise<never> {
      during = entries.length;
      return Promise.reject(reason);
    },
  });
  const running = runExchange(createBlankExchange(), { ...context, pace: createPace() });
  assertStrictEquals(await assertRejects(() => running, ProxyError), reason);
  assertEquals([during, entries.length], [1, 0]);
});

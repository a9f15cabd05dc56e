import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { admit } from "../../src/exchange/admit.ts";
import { MemoryBudget } from "../../src/limits/memory_budget.ts";
import type { MemoryHold } from "../../src/limits/memory_account.ts";
import { ProxyError, type ProxyRequest } from "../../src/protocol/mod.ts";
import type { Exchange } from "../../src/exchange/exchange.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { createBlankExchange } from "../helpers/exchange.ts";
import { openAccount } from "../helpers/memory.ts";

const LIMITS = { windowBytes: 262_144 };
const MAX_BYTES = 10_000_000;

function start(
  budget: MemoryBudget,
  request: Partial<ProxyRequest> = {},
): { readonly exchange: Exchange; readonly memory: MemoryHold } {
  const exchange = createBlankExchange(request);
  const memory = exchange.memory = openAccount(budget, "client").hold(0);
  return { exchange, memory };
}

for (
  const { name, request, bytes } of [
    { name: "a request", request: {}, bytes: 24_576 },
    { name: "a stream", request: { stream: true as const }, bytes: 90_112 },
    { name: "an upload", request: { bodyFollows: true }, bytes: 286_720 },
  ]
) {
  Deno.test(`admit() takes what ${name} needs at once`, () => {
    const clock = createFakeClock();
    const { exchange, memory } = start(new MemoryBudget(MAX_BYTES, clock), request);
    assertEquals(admit(exchange, LIMITS, clock), undefined);
    assertEquals(memory.keptBytes, bytes);
  });
}

Deno.test("admit() waits for memory", async () => {
  const clock = createFakeClock();
  const budget = new MemoryBudget(MAX_BYTES, clock);
  const other = openAccount(budget, "other").hold(MAX_BYTES);
  const { exchange, memory } = start(budget);
  const waiting = admit(exchange, LIMITS, clock);
  clock.advance(4999);
  other.release();
  clock.turn();
  await waiting;
  assertEquals([memory.keptBytes, clock.delays], [24_576, []]);
});

Deno.test("admit() refuses an exchange that has waited for five seconds: nothing was sent", async () => {
  const clock = createFakeClock();
  const budget = new MemoryBudget(MAX_BYTES, clock);
  openAccount(budget, "other").hold(MAX_BYTES);
  const { exchange, memory } = start(budget);
  const waiting = Promise.resolve(admit(exchange, LIMITS, clock));
  clock.advance(5000);
  const error = await assertRejects(() => waiting, ProxyError);
  assertEquals(
    [error.code, error.sent, error.retryable, error.retryAfterMs],
    ["proxy_overloaded", "no", true, 1000],
  );
  assertEquals([memory.keptBytes, clock.delays], [0, []]);
});

Deno.test("admit() ends with the reason of an exchange that is failed meanwhile", async () => {
  const clock = createFakeClock();
  const budget = new MemoryBudget(MAX_BYTES, clock);
  openAccount(budget, "other").hold(MAX_BYTES);
  const { exchange } = start(budget);
  const waiting = Promise.resolve(admit(exchange, LIMITS, clock));
  const draining = new ProxyError("draining", "over");
  exchange.fail(draining);
  assertStrictEquals(await assertRejects(() => waiting), draining);
  assertEquals(clock.delays, []);
});

Deno.test("admit() counts nothing where no memory is counted", () => {
  assertEquals(admit(createBlankExchange(), LIMITS, createFakeClock()), undefined);
});

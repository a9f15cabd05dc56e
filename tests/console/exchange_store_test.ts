import { assertEquals } from "@std/assert";
import { EMPTY_DRAFT } from "../../src/console/draft.ts";
import {
  createExchangeStore,
  describeOutcome,
  type ExchangeStore,
  openBody,
} from "../../src/console/exchange_store.ts";

function create(
  options: Partial<Parameters<typeof createExchangeStore>[0]> = {},
): ExchangeStore {
  let time = 0;
  return createExchangeStore({ ...options, now: () => time++, epochMs: () => 1000 + time });
}

Deno.test("createExchangeStore() numbers, dates and clears exchanges", () => {
  const store = create();
  const [first, second] = [store.add(EMPTY_DRAFT), store.add(EMPTY_DRAFT)];
  assertEquals([first.key, second.key, first.moments.start, store.inFlight], [1, 2, 0, 2]);
  first.phase = "done";
  assertEquals(store.inFlight, 1);
  store.clear();
  assertEquals(store.exchanges, [second]);
});

Deno.test("createExchangeStore() removes the oldest ended exchanges above the maximum", () => {
  const store = create({ maxExchanges: 10 });
  const pending = store.add(EMPTY_DRAFT);
  for (let count = 0; count < 20; count++) store.add(EMPTY_DRAFT).phase = "done";
  assertEquals(store.exchanges.length, 10);
  assertEquals([store.exchanges[0], store.exchanges.at(-1)?.key], [pending, 21]);
});

Deno.test("createExchangeStore() releases the oldest bodies above the maximum size", () => {
  const store = create({ maxBodyBytes: 10 });
  const exchanges = ["123456", "1234", "12"].map((text) => {
    const exchange = store.add(EMPTY_DRAFT);
    openBody(exchange).push(new TextEncoder().encode(text));
    store.ended(exchange);
    return exchange;
  });
  assertEquals(exchanges.map(({ body }) => body?.read().byteLength), [0, 4, 2]);
});

Deno.test("describeOutcome() returns the status, the code of the failure or the phase", () => {
  const exchange = create().add(EMPTY_DRAFT);
  assertEquals(describeOutcome(exchange), "queued");
  exchange.head = { status: 404, statusText: "", url: "", redirected: false, headers: [] };
  assertEquals(describeOutcome(exchange), "404");
  assertEquals(describeOutcome({ ...exchange, phase: "cancelled" }), "cancelled");
  const failure = {
    code: "dns_error",
    message: "",
    sent: "no",
    retryable: true,
    retryAfterMs: undefined,
    isRefusal: false,
  } as const;
  assertEquals(describeOutcome({ ...exchange, phase: "failed", failure }), "dns_error");
});

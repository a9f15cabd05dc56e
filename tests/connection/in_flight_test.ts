import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  createExchange,
  createInFlight,
  type Exchange,
  failExchange,
} from "../../src/connection/in_flight.ts";
import { recordDecision } from "../../src/exchange/record.ts";
import type { Upload } from "../../src/connection/upload.ts";
import type { ExchangeId } from "../../src/dialect/dialect.ts";
import { ProxyError, type ProxyRequest } from "../../src/protocol/mod.ts";
import { BLANK_REQUEST } from "../helpers/exchange.ts";

const REQUEST: ProxyRequest = {
  ...BLANK_REQUEST,
  target: new URL("http://a.example:8080/path?secret"),
};

function create(
  id: ExchangeId,
  request: Partial<ProxyRequest> = {},
  { upload, sequence = 9 }: { upload?: Upload; sequence?: number } = {},
): Exchange {
  const options = { connection: "c", sequence, identity: "alice" };
  return createExchange({ id, request: { ...REQUEST, ...request }, upload }, options);
}

const ERROR = new ProxyError("draining", "The server went away");

Deno.test("createExchange() begins a record that says what was asked for, and not the path", () => {
  const body = new Uint8Array(5);
  const method = "A".repeat(300);
  const { id, cancelled, record } = create(7, { method, body });
  assertEquals([id, cancelled], [7, false]);
  assertEquals(JSON.parse(JSON.stringify(record)), {
    type: "exchanged",
    connection: "c",
    exchange: 9,
    requestId: "c-9",
    id: 7,
    identity: "alice",
    method: "A".repeat(255),
    host: "a.example:8080",
    decision: "none",
    outcome: "cancelled",
    requestBytes: 5,
    responseBytes: 0,
    totalMs: 0,
  });
  assertEquals(create('"a name"').record.id, undefined);
});

Deno.test("createExchange() begins a record that names the upstream, and not the path", () => {
  const { record } = create(7, { target: { upstream: "github", path: "/secret" } });
  assertEquals([record.upstream, record.host], ["github", ""]);
  assertEquals(JSON.stringify(record).includes("secret"), false);
});

Deno.test("createExchange() gives the credit that the request says, or needs none", () => {
  assertEquals(create(7, { stream: true, windowBytes: 3 }).credit?.take(10), 3);
  const { credit, uploaded } = create(7, { stream: true });
  assertEquals(credit, undefined);
  uploaded(); // until the exchange says otherwise, nobody is told
});

Deno.test("recordDecision() notes the hop that was decided on", () => {
  const { record } = create(7);
  recordDecision(record, new URL("http://b.example/x"), { allow: true, reason: "public" });
  assertEquals([record.host, record.decision, record.reason], ["b.example", "allow", "public"]);
  const denied = {
    allow: false,
    reason: "loopback",
    code: "http_request_denied",
    message: "",
  } as const;
  recordDecision(record, new URL(`http://${"c".repeat(300)}/`), denied);
  assertEquals([record.host.length, record.decision, record.reason], [255, "deny", "loopback"]);
});

Deno.test("createInFlight() finds an exchange by its number, from add() to delete()", () => {
  const inFlight = createInFlight();
  const [numbered, named, nameless] = [
    create(7),
    create('"a"'),
    create(undefined, {}, { sequence: 10 }),
  ];
  for (const exchange of [numbered, named, nameless]) inFlight.add(exchange);
  assertEquals(inFlight.size, 3);
  assertEquals([7, 8, '"a"', undefined].map((id) => inFlight.has(id)), [true, false, false, false]);
  assertStrictEquals(inFlight.find(7), numbered);
  for (const exchange of [numbered, named, nameless]) inFlight.delete(exchange);
  assertEquals([inFlight.size, inFlight.has(7), inFlight.find(7)], [0, false, undefined]);
});

Deno.test("cancel() aborts an exchange, frees its id and counts it until it has ended", async () => {
  const inFlight = createInFlight();
  const exchange = create(7, { stream: true, windowBytes: 0 });
  inFlight.add(exchange);
  const taking = exchange.credit?.take(1);
  inFlight.cancel(7);
  assertEquals([exchange.cancelled, exchange.controller.signal.aborted], [true, true]);
  assertEquals([inFlight.size, inFlight.has(7), await taking], [1, false, 0]);
  const next = create(7);
  inFlight.add(next);
  inFlight.delete(exchange);
  assertStrictEquals(inFlight.find(7), next, "the end of the first one leaves the second");
  assertEquals([inFlight.size, next.cancelled], [1, false]);
});

Deno.test("cancel() leaves everything alone when the id is not in flight", () => {
  const inFlight = createInFlight();
  const exchange = create(7);
  inFlight.add(exchange);
  inFlight.cancel(8);
  inFlight.delete(exchange);
  inFlight.cancel(7);
  assertEquals([exchange.cancelled, exchange.controller.signal.aborted], [false, false]);
});

Deno.test("delete() closes the upload of its exchange", () => {
  const inFlight = createInFlight();
  let closed = 0;
  const upload = { body: new ReadableStream(), push: () => {}, close: () => void closed++ };
  const exchange = create(7, { bodyFollows: true }, { upload });
  inFlight.add(exchange);
  assertEquals(closed, 0);
  inFlight.delete(exchange);
  assertEquals(closed, 1);
});

Deno.test("failExchange() aborts with the error, which the client still wants to hear", async () => {
  const exchange = create(7, { stream: true, windowBytes: 0 });
  const taking = exchange.credit?.take(1);
  failExchange(exchange, ERROR);
  failExchange(exchange, new ProxyError("flow_control_error", "too late"));
  assertStrictEquals(exchange.controller.signal.reason, ERROR);
  assertEquals([exchange.cancelled, await taking], [false, 0]);
});

Deno.test("cancelAll() and failAll() reach every exchange, also those whose id was freed", () => {
  for (const reach of ["cancelAll", "failAll"] as const) {
    const inFlight = createInFlight();
    const all = [7, '"a"', undefined, 7].map((id, sequence) => create(id, {}, { sequence }));
    inFlight.add(all[0] ?? create(1));
    inFlight.cancel(7);
    for (const exchange of all.slice(1)) inFlight.add(exchange);
    if (reach === "cancelAll") inFlight.cancelAll();
    else inFlight.failAll(() => ERROR);
    const reasons = all.map(({ controller: { signal } }) => signal.reason === ERROR);
    assertEquals(all.every(({ controller: { signal } }) => signal.aborted), true);
    assertEquals(reasons, all.map((_, at) => reach === "failAll" && at > 0));
    assertEquals(
      all.map(({ cancelled }) => cancelled),
      all.map((_, at) => at === 0 || reach === "cancelAll"),
    );
  }
});

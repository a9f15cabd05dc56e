import { assertEquals, assertStrictEquals } from "@std/assert";
import { InFlight } from "../../src/connection/in_flight.ts";
import type { FrameOutlet } from "../../src/connection/outlet.ts";
import type { ExchangeId } from "../../src/dialect/dialect.ts";
import { ProxyError, type ProxyRequest } from "../../src/protocol/mod.ts";
import { createOutletBench } from "../helpers/connection.ts";
import { createBlankExchange } from "../helpers/exchange.ts";

const ERROR = new ProxyError("draining", "The server went away");

/** Creates the outlet of an exchange with this id and number of its connection. */
function create(
  id: ExchangeId,
  sequence = 9,
  request: Partial<ProxyRequest> = {},
): FrameOutlet {
  return createOutletBench(createBlankExchange(request, { sequence }), { id }).outlet;
}

const statesOf = (outlets: readonly FrameOutlet[]): readonly unknown[] =>
  outlets.map(({ exchange: { isCancelled, signal } }) =>
    isCancelled ? "cancelled" : signal.aborted ? signal.reason : "running"
  );

Deno.test("find() returns an exchange by its number, from add() to delete()", () => {
  const inFlight = new InFlight();
  const [numbered, named, nameless] = [create(7), create('"a"', 10), create(undefined, 11)];
  for (const outlet of [numbered, named, nameless]) inFlight.add(outlet);
  assertEquals(inFlight.size, 3);
  assertEquals([7, 8, '"a"', undefined].map((id) => inFlight.has(id)), [true, false, false, false]);
  assertEquals([inFlight.find(7) === numbered, inFlight.find(10)], [true, undefined]);
  for (const outlet of [numbered, named, nameless]) inFlight.delete(outlet);
  assertEquals([inFlight.size, inFlight.has(7), inFlight.find(7)], [0, false, undefined]);
});

Deno.test("cancel() ends an exchange, frees its id and counts it until it has ended", () => {
  const inFlight = new InFlight();
  const outlet = create(7, 1);
  inFlight.add(outlet);
  inFlight.cancel(7);
  assertEquals(statesOf([outlet]), ["cancelled"]);
  assertEquals([inFlight.size, inFlight.has(7)], [1, false]);
  const next = create(7, 2);
  inFlight.add(next);
  assertEquals(inFlight.size, 2);
  inFlight.delete(outlet);
  assertStrictEquals(inFlight.find(7), next, "the end of the first leaves the second");
  assertEquals([inFlight.size, statesOf([next])], [1, ["running"]]);
  inFlight.delete(next);
  assertEquals(inFlight.size, 0);
});

Deno.test("cancel() leaves everything alone when the id is not in flight", () => {
  const inFlight = new InFlight();
  const outlet = create(7);
  inFlight.add(outlet);
  inFlight.cancel(8);
  inFlight.delete(outlet);
  inFlight.cancel(7);
  assertEquals([statesOf([outlet]), inFlight.size], [["running"], 0]);
});

Deno.test("cancel() of the same id again reaches the exchange that has it now", () => {
  const inFlight = new InFlight();
  const outlets = [1, 2, 3].map((sequence) => create(7, sequence));
  for (const outlet of outlets) {
    inFlight.add(outlet);
    inFlight.cancel(7);
  }
  assertEquals([statesOf(outlets), inFlight.size], [Array(3).fill("cancelled"), 3]);
  for (const outlet of outlets) inFlight.delete(outlet);
  assertEquals(inFlight.size, 0);
});

Deno.test("delete() closes the upload of its exchange, and may be called twice", async () => {
  const inFlight = new InFlight();
  const outlet = create(7, 1, { bodyFollows: true });
  const reader = outlet.exchange.upload?.getReader();
  inFlight.add(outlet);
  inFlight.delete(outlet);
  inFlight.delete(outlet);
  assertEquals(inFlight.size, 0);
  const closed = await reader?.closed.then(() => "ended", (error) => error.name);
  assertEquals(closed, "TypeError");
});

Deno.test("cancelAll() and failAll() reach every exchange, also those whose id was freed", () => {
  for (const reach of ["cancelAll", "failAll"] as const) {
    const inFlight = new InFlight();
    const [first, ...others] = [7, '"a"', undefined, 7].map((id, index) => create(id, index + 1));
    const all = first === undefined ? [] : [first, ...others];
    for (const outlet of all) {
      inFlight.add(outlet);
      if (outlet === first) inFlight.cancel(7);
    }
    if (reach === "cancelAll") inFlight.cancelAll();
    else inFlight.failAll(ERROR);
    const expected = reach === "cancelAll" ? "cancelled" : ERROR;
    assertEquals(statesOf(all), ["cancelled", expected, expected, expected]);
  }
});

Deno.test("failAll() says of each exchange by itself what may have been sent", () => {
  const inFlight = new InFlight();
  const stages = ["limit", "lookup", "head", "body"] as const;
  const outlets = stages.map((stage, index) => {
    const outlet = create(index, index, { method: "POST" });
    outlet.exchange.stage = stage;
    inFlight.add(outlet);
    return outlet;
  });
  inFlight.failAll(new ProxyError("draining", "Gone", { sent: "no", retryable: true }));
  const said = outlets.map((
    { exchange: { signal: { reason } } },
  ) => [reason.sent, reason.retryable]);
  assertEquals(said, [["no", true], ["no", true], ["maybe", false], ["yes", false]]);
});

Deno.test("add() takes any id that a client may choose", () => {
  const inFlight = new InFlight();
  const ids = [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
  const outlets = ids.map((id, index) => create(id, index + 1));
  for (const outlet of outlets) inFlight.add(outlet);
  assertEquals(ids.map((id) => inFlight.find(id)?.id), ids);
  for (const outlet of outlets) inFlight.delete(outlet);
  assertEquals(inFlight.size, 0);
});

import { assertEquals, assertStrictEquals } from "@std/assert";
import type { Exchange } from "../../src/exchange/exchange.ts";
import { Pace } from "../../src/exchange/pace.ts";
import type { Stage } from "../../src/exchange/stage.ts";
import { createWheel } from "../../src/exchange/wheel.ts";
import { ProxyError, type ProxyRequest, type Sent } from "../../src/protocol/mod.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";
import { createBlankExchange, PLACES } from "../helpers/exchange.ts";

function create(
  request: Partial<ProxyRequest> = {},
): { readonly exchange: Exchange; readonly clock: FakeClock } {
  const clock = createFakeClock();
  return { exchange: createBlankExchange(request, { wheel: createWheel(clock) }), clock };
}

/** Returns the error that an exchange was ended with. */
function errorOf({ signal }: Exchange): ProxyError {
  if (signal.reason instanceof ProxyError) return signal.reason;
  throw new Error("The exchange has not been ended with an error");
}

const STAGES: readonly { readonly stage: Stage; readonly sent: Sent; readonly late: string }[] = [
  { stage: "limit", sent: "no", late: "http_response_timeout: The request could not be made" },
  { stage: "place", sent: "no", late: "http_response_timeout: The request could not be made" },
  { stage: "lookup", sent: "no", late: "dns_timeout: The host could not be resolved" },
  { stage: "head", sent: "maybe", late: "http_response_timeout: There was no response" },
  { stage: "body", sent: "yes", late: "http_response_timeout: The response was not complete" },
  { stage: "stream", sent: "yes", late: "http_response_timeout: The response did not go on" },
];

Deno.test("an exchange starts in the stage limit, before anything was sent", () => {
  const { exchange } = create();
  assertEquals([exchange.stage, exchange.sent, exchange.isCancelled], ["limit", "no", false]);
  assertEquals([exchange.queueMs, exchange.dnsMs, exchange.waitMs], [0, undefined, 0]);
});

for (const { stage, sent, late } of STAGES) {
  Deno.test(`deadlinePassed() says what was late in the stage ${stage}, and sent: "${sent}"`, () => {
    for (const [method, isIdempotent] of [["GET", true], ["POST", false]] as const) {
      const { exchange, clock } = create({ method });
      exchange.setDeadline(50);
      exchange.stage = stage; // after the deadline was set: the stage of its end is what counts
      clock.advance(49);
      assertEquals(exchange.signal.aborted, false);
      clock.advance(8); // the tick of the wheel
      const { code, message, ...error } = errorOf(exchange);
      assertEquals(`${code}: ${message}`, `${late} within 50 ms`);
      assertEquals([exchange.sent, error.sent], [sent, sent]);
      assertEquals(error.retryable, isIdempotent || code === "dns_timeout");
    }
  });

  Deno.test(`fail() gives an error at least sent: "${sent}" in the stage ${stage}`, () => {
    const order: readonly Sent[] = ["no", "maybe", "yes"];
    for (const method of ["GET", "POST"]) {
      for (const own of order) {
        for (const retryable of [true, false]) {
          const { exchange } = create({ method });
          exchange.stage = stage;
          const error = new ProxyError("draining", "The server went away", {
            sent: own,
            retryable,
          });
          exchange.fail(error);
          const isRaised = order.indexOf(sent) > order.indexOf(own);
          const { code, message, ...raised } = errorOf(exchange);
          assertEquals([code, message], ["draining", "The server went away"]);
          assertEquals(raised.sent, isRaised ? sent : own);
          assertEquals(raised.retryable, retryable && (!isRaised || method === "GET"));
          assertEquals(
            exchange.signal.reason === error,
            !isRaised,
            "an error is kept if it may be",
          );
          assertEquals(exchange.isCancelled, false, "the client still wants to hear of it");
        }
      }
    }
  });
}

Deno.test("fail() keeps the cause and the retryAfterMs of an error whose sent it raises", () => {
  const { exchange } = create();
  exchange.stage = "head";
  const error = new ProxyError("rate_limited", "Wait", { retryAfterMs: 5 });
  exchange.fail(error);
  const { retryAfterMs, cause } = errorOf(exchange);
  assertEquals(retryAfterMs, 5);
  assertStrictEquals(cause, error);
});

Deno.test("an exchange ends with the first of several reasons", () => {
  const [first, second] = ["draining", "flow_control_error"] as const;
  const { exchange, clock } = create();
  exchange.setDeadline(1);
  exchange.fail(new ProxyError(first, ""));
  exchange.fail(new ProxyError(second, ""));
  clock.advance(100);
  assertEquals(errorOf(exchange).code, first);
});

Deno.test("cancel() aborts without an error, and is noted also after the deadline", () => {
  const { exchange } = create();
  exchange.cancel();
  assertEquals([exchange.isCancelled, exchange.signal.aborted], [true, true]);
  assertEquals(exchange.signal.reason instanceof ProxyError, false);
  const late = create();
  late.exchange.setDeadline(1);
  late.clock.advance(100);
  assertEquals(late.exchange.isCancelled, false);
  late.exchange.cancel();
  assertEquals(late.exchange.isCancelled, true);
  assertEquals(errorOf(late.exchange).code, "http_response_timeout");
});

for (const end of ["fail", "cancel", "deadlinePassed"] as const) {
  Deno.test(`${end}() lets an exchange go on that waits for a place`, async () => {
    const { exchange, clock } = create();
    const pace = new Pace(clock);
    for (let taken = 0; taken < PLACES; taken++) pace.enter({ round: 0 });
    const place = exchange.place = pace.enter({ round: 0 });
    const granted = place.waitForStart();
    assertEquals(place.isWaiting, true);
    if (end === "fail") exchange.fail(new ProxyError("draining", ""));
    else exchange[end]();
    await granted;
    assertEquals(place.isWaiting, false);
  });
}

Deno.test("setDeadline() takes the place of the deadline before", () => {
  const { exchange, clock } = create();
  exchange.setDeadline(8);
  exchange.setDeadline(40);
  clock.advance(39);
  assertEquals(exchange.signal.aborted, false);
  clock.advance(9);
  assertEquals(errorOf(exchange).message.endsWith("within 40 ms"), true);
});

Deno.test("setDeadline() may pass sooner than the time that its error names, and counts from a given time", () => {
  const { exchange, clock } = create();
  exchange.setDeadline(1000, 80);
  clock.advance(79);
  assertEquals(exchange.signal.aborted, false);
  clock.advance(8);
  assertEquals(errorOf(exchange).message.endsWith("within 1000 ms"), true);
  const later = create();
  later.clock.advance(80);
  later.exchange.setDeadline(80, 80, 40);
  later.clock.advance(39);
  assertEquals(later.exchange.signal.aborted, false);
  later.clock.advance(1);
  assertEquals(later.exchange.signal.aborted, true);
});

Deno.test("clearDeadline() takes the deadline away, and may be called twice", () => {
  const { exchange, clock } = create();
  exchange.clearDeadline();
  exchange.setDeadline(1);
  exchange.clearDeadline();
  exchange.clearDeadline();
  clock.advance(1000);
  assertEquals(exchange.signal.aborted, false);
});

Deno.test("setDeadline() may follow clearDeadline() and a deadline that has passed", () => {
  const { exchange, clock } = create();
  exchange.setDeadline(1);
  exchange.clearDeadline();
  exchange.setDeadline(2);
  clock.advance(100);
  const first = errorOf(exchange);
  assertEquals(first.message.endsWith("within 2 ms"), true);
  exchange.setDeadline(60_000);
  exchange.clearDeadline();
  clock.advance(100_000);
  assertStrictEquals(exchange.signal.reason, first);
  assertEquals(clock.delays, []);
});

for (const { stage } of STAGES) {
  const restarts = stage === "lookup" || stage === "head";
  Deno.test(`uploadTaken() ${restarts ? "restarts" : "leaves"} the deadline in the stage ${stage}`, () => {
    const { exchange, clock } = create();
    exchange.setDeadline(80, 40);
    exchange.stage = stage;
    clock.advance(32);
    exchange.uploadTaken();
    clock.advance(72);
    assertEquals(exchange.signal.aborted, !restarts);
    clock.advance(16);
    assertEquals(errorOf(exchange).message.endsWith("within 80 ms"), true);
  });
}

Deno.test("uploadTaken() sets no deadline where there is none", () => {
  const { exchange, clock } = create();
  exchange.stage = "head";
  exchange.uploadTaken();
  exchange.setDeadline(8);
  exchange.clearDeadline();
  exchange.uploadTaken();
  clock.advance(1000);
  assertEquals(exchange.signal.aborted, false);
});

Deno.test("elapsedMs() counts from the creation of the exchange, to the microsecond", () => {
  const clock = createFakeClock();
  clock.advance(1.5);
  const exchange = createBlankExchange({}, { wheel: createWheel(clock) });
  assertEquals([exchange.startedAt, exchange.elapsedMs()], [1.5, 0]);
  clock.advance(10.123_456);
  assertEquals([exchange.now(), exchange.elapsedMs()], [11.623456, 10.123]);
  assertEquals(exchange.elapsedMs(3.000_06), 1.5);
});

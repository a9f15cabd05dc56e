import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { isBrokenCircuitError } from "cockatiel";
import { type ErrorCode, ProxyError } from "../../src/protocol/mod.ts";
import type { RequestTraits } from "../../src/upstream/attempt.ts";
import {
  type Breaker,
  type BreakerOptions,
  createBreaker,
  type Probe,
} from "../../src/upstream/breaker.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";
import { startHttp } from "../helpers/upstream.ts";

const OPEN_MS = 30_000;
const PROBE_TIMEOUT_MS = 5000;
const TRAITS: RequestTraits = {
  method: "GET",
  replayable: true,
  signal: new AbortController().signal,
  countsTimeouts: true,
};

interface Fixture {
  readonly breaker: Breaker;
  readonly clock: FakeClock;
  /** Makes an attempt with this outcome. Returns the status, or the code of the error. */
  run(end: number | Error, traits?: RequestTraits): Promise<number | string>;
  /** Returns how many attempts were made. */
  count(): number;
}

function setUp(options: Partial<BreakerOptions> = {}, probe?: Probe): Fixture {
  const clock = createFakeClock();
  const breaker = createBreaker(
    { failures: 3, openMs: OPEN_MS, ...options },
    { clock, ...(probe && { probe }) },
  );
  let count = 0;
  return {
    breaker,
    clock,
    count: () => count,
    run: (end, traits = TRAITS) =>
      outcome(breaker.run(() => {
        count++;
        return typeof end === "number"
          ? Promise.resolve(new Response(null, { status: end }))
          : Promise.reject(end);
      }, traits)),
  };
}

async function outcome(running: Promise<Response>): Promise<number | string> {
  try {
    return (await running).status;
  } catch (error) {
    return error instanceof ProxyError ? error.code : String(error);
  }
}

const error = (code: ErrorCode): ProxyError => new ProxyError(code, code);

/** A probe whose calls are settled by the test. */
function manualProbe(): {
  probe: Probe;
  calls: (PromiseWithResolvers<boolean> & { signal: AbortSignal })[];
} {
  const calls: (PromiseWithResolvers<boolean> & { signal: AbortSignal })[] = [];
  const probe = (signal: AbortSignal): Promise<boolean> => {
    const call = { ...Promise.withResolvers<boolean>(), signal };
    calls.push(call);
    return call.promise;
  };
  return { probe, calls };
}

/** Fulfils when the breaker has counted the result of a probe, which takes microtasks only. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

const ERROR = "Error: no news";
const COUNT_CASES: readonly {
  name: string;
  ends: readonly (number | Error)[];
  traits?: Partial<RequestTraits>;
  isOpen: boolean;
}[] = [
  { name: "as many failures in a row as it allows", ends: [503, 503, 503], isOpen: true },
  { name: "one failure fewer", ends: [503, 503], isOpen: false },
  { name: "each status that counts against the upstream", ends: [502, 503, 504], isOpen: true },
  { name: "failures with a success among them", ends: [503, 503, 200, 503, 503], isOpen: false },
  { name: "failures with a 404 among them", ends: [503, 503, 404, 503, 503], isOpen: false },
  { name: "500, which a single request may cause", ends: [500, 500, 500], isOpen: false },
  { name: "429", ends: [429, 429, 429], isOpen: false },
  {
    name: "failures with a cancelled request among them",
    ends: [503, new Error("no news"), 503, 503],
    isOpen: true,
  },
  {
    name: "failures with a bad request among them",
    ends: [503, error("bad_request"), 503, 503],
    isOpen: true,
  },
  {
    name: "bad requests",
    ends: [error("bad_request"), error("bad_request"), error("bad_request")],
    isOpen: false,
  },
  {
    name: "timeouts",
    ends: [
      error("http_response_timeout"),
      error("http_response_timeout"),
      error("http_response_timeout"),
    ],
    isOpen: true,
  },
  {
    name: "timeouts that the client chose",
    ends: [
      error("http_response_timeout"),
      error("http_response_timeout"),
      error("http_response_timeout"),
    ],
    traits: { countsTimeouts: false },
    isOpen: false,
  },
  {
    name: "timeouts of the connection, whatever time the client chose",
    ends: [error("connection_timeout"), error("connection_timeout"), error("connection_timeout")],
    traits: { countsTimeouts: false },
    isOpen: true,
  },
  {
    name: "refused, broken and unresolved connections",
    ends: [error("connection_refused"), error("connection_terminated"), error("dns_error")],
    isOpen: true,
  },
  {
    name: "TLS failures and responses that are not HTTP",
    ends: [
      error("tls_certificate_error"),
      error("tls_protocol_error"),
      error("http_protocol_error"),
    ],
    isOpen: true,
  },
  {
    name: "requests that were not sent",
    ends: [error("http_request_denied"), error("proxy_internal_error"), error("rate_limited")],
    isOpen: false,
  },
];

for (const { name, ends, traits, isOpen } of COUNT_CASES) {
  Deno.test(`run() ${isOpen ? "opens" : "does not open"} the breaker after ${name}`, async () => {
    const { breaker, run, count } = setUp();
    for (const end of ends) {
      const expected = typeof end === "number" ? end : end instanceof ProxyError ? end.code : ERROR;
      assertEquals(await run(end, { ...TRAITS, ...traits }), expected);
    }
    assertEquals(breaker.refusal() !== undefined, isOpen);
    assertEquals(await run(200), isOpen ? "destination_unavailable" : 200);
    assertEquals(count(), isOpen ? ends.length : ends.length + 1);
  });
}

Deno.test("run() does not count a deadline that the client chose, whatever error it caused", async () => {
  const controller = new AbortController();
  const { run, breaker } = setUp({ failures: 1 });
  const late = error("dns_timeout");
  const made = breaker.run(() => {
    controller.abort(late);
    return Promise.reject(late);
  }, { ...TRAITS, signal: controller.signal, countsTimeouts: false });
  assertEquals(await outcome(made), "dns_timeout");
  assertEquals(await run(200), 200);
});

Deno.test("run() returns the response and throws the error of the attempt", async () => {
  const { breaker } = setUp();
  const response = new Response(null, { status: 503 });
  assertStrictEquals(await breaker.run(() => Promise.resolve(response), TRAITS), response);
  const thrown = error("connection_refused");
  const rejected = await assertRejects(() => breaker.run(() => Promise.reject(thrown), TRAITS));
  assertStrictEquals(rejected, thrown);
});

Deno.test("run() makes no request to a failing server once the breaker is open", async () => {
  await using server = startHttp(() => new Response("x", { status: 503 }));
  const { breaker, clock } = setUp({ failures: 4 });
  for (let request = 0; request < 10; request++) {
    const [made] = await Promise.allSettled([breaker.run(() => fetch(server.origin), TRAITS)]);
    if (made.status === "fulfilled") await made.value.body?.cancel();
    else assertEquals(made.reason.code, "destination_unavailable");
    clock.advance(OPEN_MS / 10); // never reaches OPEN_MS after the fourth
  }
  assertEquals(server.requests.length, 4);
});

Deno.test("run() throws that the upstream is failing, and when to try again", async () => {
  const { breaker, clock, run } = setUp({ failures: 1 });
  await run(503);
  clock.advance(OPEN_MS - 1500.5);
  const refused = await assertRejects(
    () => breaker.run(() => fetch("http://never"), TRAITS),
    ProxyError,
  );
  assertEquals(
    [refused.code, refused.sent, refused.retryable, refused.retryAfterMs],
    ["destination_unavailable", "no", true, 1501],
  );
  assertMatch(refused.message, /upstream is failing.*try again in 2 s/);
  assert(isBrokenCircuitError(refused.cause));
  clock.advance(1500.25);
  assertEquals(breaker.refusal()?.retryAfterMs, 1);
});

Deno.test("16 failures at once open the breaker once, for openMs", async () => {
  const all = Promise.withResolvers<void>();
  const server = startHttp(async () => {
    if (server.requests.length === 16) all.resolve();
    await all.promise;
    return new Response("x", { status: 503 });
  });
  await using _server = server;
  const { breaker, clock, run } = setUp({ failures: 5 });
  const statuses = await Promise.all(Array.from({ length: 16 }, async () => {
    const response = await breaker.run(() => fetch(server.origin), TRAITS);
    await response.body?.cancel();
    return response.status;
  }));
  assertEquals(statuses, Array(16).fill(503));
  assertEquals(await run(200), "destination_unavailable");
  clock.advance(OPEN_MS);
  assertEquals(await run(200), 200);
  assertEquals(await run(503), 503);
  assertEquals(await run(200), 200);
  assertEquals(server.requests.length, 16);
});

Deno.test("after openMs one request is the test and others are refused; success closes", async () => {
  const { breaker, clock, run, count } = setUp({ failures: 1 });
  await run(503);
  clock.advance(OPEN_MS - 1);
  assertEquals(await run(200), "destination_unavailable");
  clock.advance(1);
  const test = Promise.withResolvers<Response>();
  const testing = breaker.run(() => test.promise, TRAITS);
  const refused = await assertRejects(
    () => breaker.run(() => fetch("http://never"), TRAITS),
    ProxyError,
  );
  assertEquals(refused.code, "destination_unavailable");
  assert((refused.retryAfterMs ?? 0) >= 1);
  assertEquals(await run(200), "destination_unavailable");
  test.resolve(new Response());
  await testing;
  assertEquals(await run(200), 200);
  assertEquals(count(), 2);
});

Deno.test("a test that fails keeps the breaker open for another openMs", async () => {
  const { clock, run, count } = setUp();
  for (const end of [503, 503, 503]) await run(end);
  clock.advance(OPEN_MS);
  assertEquals(await run(error("connection_refused")), "connection_refused");
  clock.advance(OPEN_MS - 1);
  assertEquals(await run(200), "destination_unavailable");
  clock.advance(1);
  assertEquals(await run(404), 404);
  assertEquals(await run(503), 503);
  assertEquals(await run(200), 200);
  assertEquals(count(), 7);
});

const UNKNOWN_TESTS: readonly { name: string; end: Error; traits?: Partial<RequestTraits> }[] = [
  { name: "was cancelled", end: new DOMException("cancelled", "AbortError") },
  { name: "could not be made", end: error("bad_request") },
  {
    name: "had a shorter time from its client",
    end: error("http_response_timeout"),
    traits: { countsTimeouts: false },
  },
];

for (const { name, end, traits } of UNKNOWN_TESTS) {
  Deno.test(`after a test that ${name}, the next request is the test`, async () => {
    const { clock, run } = setUp();
    for (const failure of [503, 503, 503]) await run(failure);
    clock.advance(OPEN_MS);
    await run(end, { ...TRAITS, ...traits });
    assertEquals(await run(503), 503); // it did not close: one failure opens
    assertEquals(await run(200), "destination_unavailable");
    clock.advance(OPEN_MS);
    await run(end, { ...TRAITS, ...traits });
    assertEquals(await run(200), 200);
  });
}

Deno.test("run() makes no attempt, and no test, for a request that is cancelled already", async () => {
  const { breaker, clock, run, count } = setUp({ failures: 1 });
  await run(503);
  clock.advance(OPEN_MS);
  const reason = new Error("cancelled");
  const signal = AbortSignal.abort(reason);
  const thrown = await assertRejects(() =>
    breaker.run(() => fetch("http://never"), { ...TRAITS, signal })
  );
  assertStrictEquals(thrown, reason);
  assertEquals(await run(200), 200);
  assertEquals(count(), 2);
});

Deno.test("requests that started before the breaker opened do not count after it", async () => {
  const { breaker, clock, run } = setUp({ failures: 1 });
  const [slowFailure, slowSuccess, test] = [
    Promise.withResolvers<Response>(),
    Promise.withResolvers<Response>(),
    Promise.withResolvers<Response>(),
  ] as const;
  const failing = breaker.run(() => slowFailure.promise, TRAITS);
  const succeeding = breaker.run(() => slowSuccess.promise, TRAITS);
  await run(503);
  slowSuccess.resolve(new Response());
  await succeeding;
  assertEquals(await run(200), "destination_unavailable");
  clock.advance(OPEN_MS);
  const testing = breaker.run(() => test.promise, TRAITS);
  slowFailure.resolve(new Response(null, { status: 503 }));
  await failing;
  test.resolve(new Response());
  await testing;
  assertEquals(await run(200), 200);
});

Deno.test("with a probe no request is the test; a probe that fulfils with true closes the breaker", async () => {
  const { probe, calls } = manualProbe();
  const { breaker, clock, run, count } = setUp({ failures: 1 }, probe);
  using _breaker = breaker;
  await run(503);
  clock.advance(OPEN_MS - 1);
  assertEquals(calls.length, 0);
  clock.advance(1);
  assertEquals(calls.length, 1);
  assertEquals(await run(200), "destination_unavailable");
  assert((breaker.refusal()?.retryAfterMs ?? 0) >= 1);
  calls[0]?.resolve(true);
  await settled();
  assertEquals(await run(200), 200);
  assertEquals(count(), 2);
  assertEquals(clock.delays, []);
});

const PROBE_FAILURES: readonly {
  name: string;
  fail: (call: PromiseWithResolvers<boolean>) => void;
}[] = [
  { name: "fulfils with false", fail: (call) => call.resolve(false) },
  { name: "is rejected", fail: (call) => call.reject(new Error("refused")) },
];

for (const { name, fail } of PROBE_FAILURES) {
  Deno.test(`a probe that ${name} keeps the breaker open until the next, after openMs`, async () => {
    const { probe, calls } = manualProbe();
    const { breaker, clock, run } = setUp({ failures: 1 }, probe);
    using _breaker = breaker;
    await run(503);
    clock.advance(OPEN_MS);
    const again = clock.until(OPEN_MS);
    calls.forEach(fail);
    await again;
    assertEquals(clock.delays, [OPEN_MS]);
    assertEquals(breaker.refusal()?.retryAfterMs, OPEN_MS);
    clock.advance(OPEN_MS - 1);
    assertEquals(calls.length, 1);
    clock.advance(1);
    assertEquals(calls.length, 2);
    assertEquals(await run(200), "destination_unavailable");
    calls[1]?.resolve(true);
    await settled();
    assertEquals(await run(200), 200);
  });
}

Deno.test("a probe has 5 s; then its signal is aborted, and the next one starts after openMs", async () => {
  const { probe, calls } = manualProbe();
  const { breaker, clock, run } = setUp({ failures: 1 }, probe);
  using _breaker = breaker;
  await run(503);
  clock.advance(OPEN_MS);
  clock.advance(PROBE_TIMEOUT_MS - 1);
  assertEquals(calls[0]?.signal.aborted, false);
  const again = clock.until(OPEN_MS);
  clock.advance(1);
  assertEquals(calls[0]?.signal.aborted, true);
  await again;
  assertEquals(await run(200), "destination_unavailable");
});

Deno.test("clients' requests reach a real server only after its probe has succeeded", async () => {
  let isWell = false;
  await using server = startHttp(() => new Response("x", { status: isWell ? 200 : 503 }));
  const answered = [0, 1].map(() => Promise.withResolvers<void>());
  let asked = 0;
  const probe = async (signal: AbortSignal): Promise<boolean> => {
    const response = await fetch(`${server.origin}/health`, { method: "HEAD", signal });
    await response.body?.cancel();
    answered[asked++]?.resolve();
    return response.ok;
  };
  const { breaker, clock } = setUp({ failures: 2 }, probe);
  using _breaker = breaker;
  const request = async (): Promise<number | string> => {
    const status = await outcome(breaker.run(async () => {
      const response = await fetch(`${server.origin}/`);
      await response.body?.cancel();
      return response;
    }, TRAITS));
    return status;
  };
  assertEquals([await request(), await request(), await request()], [
    503,
    503,
    "destination_unavailable",
  ]);
  const again = clock.until(OPEN_MS);
  clock.advance(OPEN_MS);
  await again;
  assertEquals(await request(), "destination_unavailable");
  isWell = true;
  clock.advance(OPEN_MS);
  await answered[1]?.promise;
  await settled();
  assertEquals(await request(), 200);
  const paths = server.requests.map((line) => line.replace(server.origin, ""));
  assertEquals(paths, ["GET /", "GET /", "HEAD /health", "HEAD /health", "GET /"]);
});

Deno.test("with a probe whose timer is late, no request is the test either", async () => {
  const fake = createFakeClock();
  let lateMs = 0;
  const clock = { ...fake, now: () => fake.now() + lateMs };
  const { probe } = manualProbe();
  using breaker = createBreaker({ failures: 1, openMs: OPEN_MS }, { clock, probe });
  await breaker.run(() => Promise.resolve(new Response(null, { status: 503 })), TRAITS);
  lateMs = OPEN_MS + 1;
  const refused = await outcome(breaker.run(() => Promise.resolve(new Response()), TRAITS));
  assertEquals(refused, "destination_unavailable");
});

Deno.test("a disposed breaker has no timer, and sets none when it opens", async () => {
  const { probe, calls } = manualProbe();
  const { breaker, clock, run } = setUp({ failures: 1 }, probe);
  await run(503);
  assertEquals(clock.delays, [OPEN_MS]);
  breaker[Symbol.dispose]();
  assertEquals(clock.delays, []);

  const closed = setUp({ failures: 1 }, probe);
  closed.breaker[Symbol.dispose]();
  await closed.run(503);
  assertEquals(closed.clock.delays, []);
  assertEquals(calls.length, 0);
});

Deno.test("a breaker that is disposed of during a probe aborts it and sets no other timer", async () => {
  const { probe, calls } = manualProbe();
  const { breaker, clock, run } = setUp({ failures: 1 }, probe);
  await run(503);
  clock.advance(OPEN_MS);
  assertEquals(clock.delays, [PROBE_TIMEOUT_MS]);
  breaker[Symbol.dispose]();
  assertEquals(calls[0]?.signal.aborted, true);
  await settled();
  assertEquals(clock.delays, []);
  assertEquals(await run(200), "destination_unavailable");
});

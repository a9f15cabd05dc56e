import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type AttemptedHop,
  createMakeHop,
  type HopOptions,
  type HopResilience,
  type MakeHop,
  type Route,
} from "../../src/forward/hop.ts";
import type { HopRequest, TransportRequest, TransportResponse } from "../../src/http/transport.ts";
import { type HeaderPairs, ProxyError } from "../../src/protocol/mod.ts";
import { fakeBody } from "../http/fake_body.ts";

/** A hop maker whose layers note what they do. */
interface World {
  readonly makeHop: MakeHop;
  /** What the layers did, in order. */
  readonly log: string[];
  /** The requests that the transport got. */
  readonly requests: TransportRequest[];
  readonly signals: AbortSignal[];
  /** The hops that the resilience got. */
  readonly hops: AttemptedHop[];
  /** The promise that the transport returns. */
  readonly sent: Promise<TransportResponse>;
  /** Returns options whose check returns this route, at once or later. */
  options(route: Route | Promise<Route> | Error, more?: Partial<HopOptions>): HopOptions;
  /** Returns a resilience that makes this number of attempts. */
  resilience(attempts: number, more?: Partial<HopResilience>): HopResilience;
}

function start(failure?: Error): World {
  const response: TransportResponse = {
    status: 200,
    statusText: "",
    headers: [],
    decoded: false,
    body: fakeBody([]).body,
  };
  const log: string[] = [];
  const requests: TransportRequest[] = [];
  const signals: AbortSignal[] = [];
  const hops: AttemptedHop[] = [];
  const sent = failure === undefined ? Promise.resolve(response) : Promise.reject(failure);
  sent.catch(() => {});
  const makeHop = createMakeHop((request, signal) => {
    log.push("transport");
    requests.push(request);
    signals.push(signal);
    return sent;
  });
  return {
    makeHop,
    log,
    requests,
    signals,
    hops,
    sent,
    options(route, more = {}): HopOptions {
      const check = (url: URL, method: string): Route | Promise<Route> => {
        log.push(`check ${method} ${url}`);
        if (route instanceof Error) throw route;
        return route;
      };
      return { check, signal: new AbortController().signal, ...more };
    },
    resilience(attempts, more = {}): HopResilience {
      return {
        async send(attempt, hop): Promise<TransportResponse> {
          log.push("resilience");
          hops.push(hop);
          for (let count = 1; count < attempts; count++) await attempt();
          return attempts === 0 ? response : await attempt();
        },
        countsTimeouts: true,
        ...more,
      };
    },
  };
}

const URL_TEXT = "http://a.invalid/b";

function hopOf(more: Partial<HopRequest> = {}): HopRequest {
  return { method: "GET", url: new URL(URL_TEXT), headers: [["x", "1"]], body: null, ...more };
}

const CHECK = `check GET ${URL_TEXT}`;
const AT_UPSTREAM = { upstream: {} } as const;

Deno.test("makeHop() checks a hop and then makes it, with the addresses of the check", async () => {
  const { makeHop, log, requests, signals, options } = start();
  const hop = hopOf({ method: "POST", body: new Uint8Array([1, 2]) });
  const given = options({ addresses: ["192.0.2.1"] });
  const response = await makeHop(hop, given);
  assertEquals([log, response.status], [[`check POST ${URL_TEXT}`, "transport"], 200]);
  assertEquals(requests, [{
    ...hop,
    addresses: ["192.0.2.1"],
    decode: undefined,
    route: undefined,
    identity: undefined,
    owner: undefined,
    observer: undefined,
  }]);
  assertStrictEquals(requests[0]?.headers, hop.headers);
  assertStrictEquals(requests[0]?.body, hop.body);
  assertEquals([signals.length, signals[0] === given.signal], [1, true]);
});

Deno.test("makeHop() leaves the addresses undefined when the check has none", async () => {
  const { makeHop, requests, options } = start();
  await makeHop(hopOf(), options({}));
  assertEquals(requests[0]?.addresses, undefined);
});

Deno.test("makeHop() returns the transport's promise itself when the check does not wait", () => {
  const { makeHop, sent, options } = start();
  assertStrictEquals(makeHop(hopOf(), options({})), sent);
});

Deno.test("makeHop() waits for a check that waits, and does nothing until then", async () => {
  const { makeHop, log, options } = start();
  const { promise, resolve } = Promise.withResolvers<Route>();
  const making = makeHop(hopOf(), options(promise));
  await Promise.resolve();
  assertEquals(log, [CHECK]);
  resolve({ addresses: [] });
  assertEquals([(await making).status, log], [200, [CHECK, "transport"]]);
});

const denied = new ProxyError("destination_ip_prohibited", "denied");

Deno.test("makeHop() fails with the error of the check, and makes no request", async () => {
  const now = start();
  const options = now.options(denied, { resilience: now.resilience(1) });
  assertStrictEquals(assertThrows(() => now.makeHop(hopOf(), options)), denied);
  assertEquals(now.log, [CHECK]);

  const later = start();
  const waiting = later.options(Promise.reject(denied), { resilience: later.resilience(1) });
  assertStrictEquals(await assertRejects(() => later.makeHop(hopOf(), waiting)), denied);
  assertEquals(later.log, [CHECK]);
});

Deno.test("makeHop() fails with the signal's reason when aborted during the check, and makes no request", async () => {
  const reason = new Error("enough");
  for (const isLate of [false, true]) {
    for (const route of [{}, AT_UPSTREAM]) {
      const { makeHop, log, options, resilience } = start();
      const controller = new AbortController();
      const { promise, resolve } = Promise.withResolvers<Route>();
      const { check } = options(isLate ? promise : route);
      const aborting: HopOptions = {
        check(url, method): Route | Promise<Route> {
          controller.abort(reason);
          return check(url, method);
        },
        signal: controller.signal,
        resilience: resilience(1),
      };
      const making = Promise.try(() => makeHop(hopOf(), aborting));
      resolve(route);
      assertStrictEquals(await assertRejects(() => making), reason);
      assertEquals(log, [CHECK]);
    }
  }
});

Deno.test("makeHop() asks the check even if the signal was aborted before", () => {
  const { makeHop, log, options } = start();
  const aborted = options({}, { signal: AbortSignal.abort(new Error("enough")) });
  assertThrows(() => makeHop(hopOf(), aborted), Error, "enough");
  assertEquals(log, [CHECK]);
});

const RESILIENCE: readonly { name: string; route: Route; isUsed: boolean }[] = [
  { name: "at the upstream", route: AT_UPSTREAM, isUsed: true },
  { name: "elsewhere", route: {}, isUsed: false },
  { name: "when the check does not say so", route: {}, isUsed: false },
];

for (const { name, route, isUsed } of RESILIENCE) {
  Deno.test(`makeHop() ${isUsed ? "uses" : "does not use"} the resilience ${name}`, async () => {
    for (const given of [route, Promise.resolve(route)]) {
      const { makeHop, log, options, resilience } = start();
      await makeHop(hopOf(), options(given, { resilience: resilience(1) }));
      assertEquals(log, isUsed ? [CHECK, "resilience", "transport"] : [CHECK, "transport"]);
    }
  });
}

Deno.test("makeHop() makes one attempt at the upstream without a resilience", () => {
  const { makeHop, log, sent, options } = start();
  assertStrictEquals(makeHop(hopOf(), options(AT_UPSTREAM)), sent);
  assertStrictEquals(makeHop(hopOf(), options(AT_UPSTREAM, { resilience: undefined })), sent);
  assertEquals(log, [CHECK, "transport", CHECK, "transport"]);
});

Deno.test("makeHop() makes as many attempts as the resilience does, all with the same request and one check", async () => {
  for (const attempts of [0, 1, 3]) {
    const { makeHop, log, requests, options, resilience } = start();
    const route = { ...AT_UPSTREAM, headers: [["authorization", "Bearer x"]] } as const;
    const { status } = await makeHop(hopOf(), options(route, { resilience: resilience(attempts) }));
    const expected = [CHECK, "resilience", ...Array(attempts).fill("transport")];
    assertEquals([status, log], [200, expected]);
    for (const request of requests) assertStrictEquals(request, requests[0]);
  }
});

Deno.test("makeHop() returns the resilience's own promise and the errors of attempts", async () => {
  const failure = new ProxyError("connection_terminated", "x");
  const { makeHop, options, resilience } = start(failure);
  const { sent } = start();
  const own = options(AT_UPSTREAM, { resilience: resilience(1, { send: () => sent }) });
  assertStrictEquals(makeHop(hopOf(), own), sent);
  const once = options(AT_UPSTREAM, { resilience: resilience(1) });
  assertStrictEquals(await assertRejects(() => makeHop(hopOf(), once)), failure);
});

const CONTEXTS: readonly {
  readonly name: string;
  readonly hop: Partial<HopRequest>;
  readonly countsTimeouts: boolean;
  readonly expected: Partial<AttemptedHop>;
}[] = [
  {
    name: "without a body",
    hop: {},
    countsTimeouts: true,
    expected: { method: "GET", replayable: true, countsTimeouts: true },
  },
  {
    name: "with a body",
    hop: { method: "PUT", body: new Uint8Array(1) },
    countsTimeouts: false,
    expected: { method: "PUT", replayable: true, countsTimeouts: false },
  },
  {
    name: "with a streamed body",
    hop: { method: "POST", body: new ReadableStream() },
    countsTimeouts: true,
    expected: { method: "POST", replayable: false, countsTimeouts: true },
  },
];

for (const { name, hop, countsTimeouts, expected } of CONTEXTS) {
  Deno.test(`makeHop() tells the resilience about a request ${name}`, async () => {
    const { makeHop, hops, options, resilience } = start();
    const given = options(AT_UPSTREAM, { resilience: resilience(1, { countsTimeouts }) });
    await makeHop(hopOf(hop), given);
    assertEquals(hops, [{ ...expected, signal: given.signal } as AttemptedHop]);
    assertStrictEquals(hops[0]?.signal, given.signal);
  });
}

const OVERRIDES: readonly {
  readonly name: string;
  readonly input: HeaderPairs;
  readonly headers: HeaderPairs | undefined;
  readonly expected: HeaderPairs;
}[] = [
  { name: "no field", input: [["x", "1"]], headers: undefined, expected: [["x", "1"]] },
  { name: "an empty list", input: [["x", "1"]], headers: [], expected: [["x", "1"]] },
  {
    name: "another field",
    input: [["x", "1"]],
    headers: [["y", "2"]],
    expected: [["x", "1"], ["y", "2"]],
  },
  {
    name: "fields that the request has, in any case",
    input: [["X-Key", "client"], ["x", "1"], ["x-key", "client"], ["y", "1"]],
    headers: [["x-KEY", "secret"], ["Y", "2"]],
    expected: [["x", "1"], ["x-KEY", "secret"], ["Y", "2"]],
  },
  {
    name: "a field twice",
    input: [["x", "1"]],
    headers: [["x", "2"], ["x", "3"]],
    expected: [["x", "2"], ["x", "3"]],
  },
];

for (const { name, input, headers, expected } of OVERRIDES) {
  Deno.test(`makeHop() sends the fields of the check instead of the request's: ${name}`, async () => {
    const { makeHop, requests, options } = start();
    const hop = hopOf({ headers: input });
    await makeHop(hop, options(headers === undefined ? {} : { headers }));
    assertEquals(requests[0]?.headers, expected);
    assert(hop.headers === input && hop.headers.length === input.length, "the hop is unchanged");
  });
}

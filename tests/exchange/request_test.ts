import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import type { Exchange } from "../../src/exchange/exchange.ts";
import {
  createMakeRequest,
  findFirstHop,
  refuseRequest,
  type RequestDeps,
} from "../../src/exchange/request.ts";
import { createWheel, type Deadline } from "../../src/exchange/wheel.ts";
import type { ForwardRequest, ForwardResponse } from "../../src/forward/forward.ts";
import type { HopOptions } from "../../src/forward/hop.ts";
import { ProxyError, type ProxyRequest } from "../../src/protocol/mod.ts";
import type { Upstream } from "../../src/upstream/registry.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";
import {
  ALLOW_ALL,
  BLANK_REQUEST,
  createBlankExchange,
  createFakeBody,
  createFakeRegistry,
  createFakeUpstream,
  recordTelemetry,
  RUNNER_LIMITS,
} from "../helpers/exchange.ts";

const BODY = createFakeBody(["body"]);
const RESPONSE: ForwardResponse = {
  head: { status: 201, statusText: "Created", url: "http://x/", redirected: false, headers: [] },
  body: BODY,
};

interface Bench {
  readonly exchange: Exchange;
  readonly clock: FakeClock;
  /** What was forwarded. */
  readonly forwarded: { readonly request: ForwardRequest; readonly options: HopOptions }[];
  /** Makes the request: of the named upstream, else of the request's URL. */
  make(upstream?: Upstream): Promise<ForwardResponse>;
}

/** An exchange and what makes its request. There is no outlet: nothing here needs one. */
function createBench(
  request: Partial<ProxyRequest> = {},
  forward: () => Promise<ForwardResponse> = () => Promise.resolve(RESPONSE),
  deps: Partial<RequestDeps> = {},
): Bench {
  const clock = createFakeClock();
  clock.advance(1000);
  const exchange = createBlankExchange(request, { wheel: createWheel(clock) });
  const forwarded: Bench["forwarded"] = [];
  const makeRequest = createMakeRequest(RUNNER_LIMITS, {
    registry: createFakeRegistry(),
    policy: ALLOW_ALL,
    telemetry: recordTelemetry(),
    forward(request, options): Promise<ForwardResponse> {
      forwarded.push({ request, options });
      return forward();
    },
    ...deps,
  });
  return {
    exchange,
    clock,
    forwarded,
    make: (upstream) => makeRequest(exchange, { url: new URL("http://x/path"), upstream }),
  };
}

const never = (): Promise<never> => new Promise(() => {});

Deno.test("makeRequest() forwards the request of an exchange and returns its response", async () => {
  const request = {
    method: "PUT",
    headers: [["a", "b"]],
    body: new Uint8Array(3),
    redirect: "manual",
    decode: false,
  } as const;
  const { exchange, clock, forwarded, make } = createBench(request);
  const making = make();
  clock.advance(12.5);
  assertStrictEquals(await making, RESPONSE);
  const [{ request: sent = {}, options } = {}] = forwarded;
  assertEquals(sent as object, { ...request, url: new URL("http://x/path") });
  assertStrictEquals(options?.signal, exchange.signal);
  assertEquals(options?.resilience, undefined);
  assertEquals([exchange.stage, exchange.record.status], ["body", 201]);
  assertEquals([exchange.queueMs, exchange.waitMs, exchange.record.waitMs], [0, 12.5, 12.5]);
});

Deno.test("makeRequest() delivers nothing: it neither reads nor discards the body", async () => {
  const body = createFakeBody(["unread"]);
  const { make } = createBench({ stream: true }, () => Promise.resolve({ ...RESPONSE, body }));
  assertStrictEquals((await make()).body, body);
  assertEquals([body.limits, body.discards()], [[], 0]);
});

Deno.test("makeRequest() is in the stage lookup until its first hop was checked", async () => {
  const stages: string[] = [];
  const { exchange, forwarded, make } = createBench({}, () => {
    stages.push(exchange.stage);
    forwarded[0]?.options.check(new URL("http://x/"), "GET");
    stages.push(exchange.stage);
    return Promise.resolve(RESPONSE);
  });
  await make();
  assertEquals([...stages, exchange.stage], ["lookup", "head", "body"]);
});

Deno.test("makeRequest() sends an upload in place of the request's body", async () => {
  const { exchange, forwarded, make } = createBench({ bodyFollows: true });
  const upload = exchange.upload = new ReadableStream();
  await make();
  assertStrictEquals(forwarded[0]?.request.body, upload);
});

Deno.test("makeRequest() throws what forwarding throws, and the response was not noted", async () => {
  const reason = new ProxyError("connection_refused", "Refused");
  const { exchange, make } = createBench({}, () => Promise.reject(reason));
  assertStrictEquals(await assertRejects(() => make()), reason);
  const { status, waitMs } = exchange.record;
  assertEquals([status, waitMs, exchange.stage], [undefined, undefined, "lookup"]);
});

const TIMES = [
  { name: "the default when the request names none", expected: 10_000 },
  { name: "the time that the request names", timeoutMs: 20_000, expected: 20_000 },
  { name: "at most maxTimeoutMs", timeoutMs: 40_000, expected: 30_000 },
  { name: "the default of the upstream", ownMs: 500, expected: 500 },
  { name: "less than the upstream's time", ownMs: 500, timeoutMs: 400, expected: 400 },
  { name: "at most the upstream's time", ownMs: 500, timeoutMs: 600, expected: 500 },
  { name: "the time of an upstream beyond maxTimeoutMs", ownMs: 50_000, expected: 50_000 },
] as const;

for (const { name, expected, ...times } of TIMES) {
  Deno.test(`makeRequest() gives a request ${name}`, () => {
    const timeoutMs = "timeoutMs" in times ? times.timeoutMs : undefined;
    const { exchange, clock, make } = createBench(
      timeoutMs === undefined ? {} : { timeoutMs },
      never,
    );
    make("ownMs" in times ? createFakeUpstream({ timeoutMs: times.ownMs }) : undefined);
    clock.advance(expected - 1);
    assertEquals(exchange.signal.aborted, false);
    clock.advance(9);
    assertEquals(exchange.signal.reason?.message.endsWith(`within ${expected} ms`), true);
  });
}

Deno.test("makeRequest() counts the time that an exchange has waited as part of its time", () => {
  const { exchange, clock, make } = createBench({}, never);
  clock.advance(9006);
  make();
  assertEquals(exchange.queueMs, 9006);
  clock.advance(993);
  assertEquals(exchange.signal.aborted, false);
  clock.advance(8 + 16); // the tick of the wheel, and the step of its delays
  assertEquals(exchange.signal.reason?.message, "The host could not be resolved within 10000 ms");
});

Deno.test("makeRequest() sets deadlines of few different delays", () => {
  const delays = [0, 1, 15, 16, 17, 31.5, 40].map((waitedMs) => {
    const clock = createFakeClock();
    const set: number[] = [];
    const wheel = createWheel(clock);
    const exchange = createBlankExchange({}, {
      wheel: {
        ...wheel,
        set(delayMs, owner, from): Deadline {
          set.push(delayMs);
          return wheel.set(delayMs, owner, from);
        },
      },
    });
    clock.advance(waitedMs);
    createMakeRequest(RUNNER_LIMITS, {
      registry: createFakeRegistry(),
      policy: ALLOW_ALL,
      telemetry: recordTelemetry(),
      forward: never,
    })(exchange, { url: new URL("http://x/"), upstream: undefined });
    return set;
  });
  assertEquals(delays.flat(), [10_000, 10_000, 10_000, 9984, 9984, 9984, 9968]);
});

Deno.test("makeRequest() makes no request for which the time is over when its turn comes", async () => {
  const { exchange, clock, forwarded, make } = createBench({ timeoutMs: 50 });
  exchange.stage = "place";
  clock.advance(50);
  const { code, sent, retryable, message } = await assertRejects(() => make(), ProxyError);
  assertEquals([code, sent, retryable], ["http_response_timeout", "no", true]);
  assertEquals(message, "The request could not be made within 50 ms");
  assertEquals([forwarded.length, exchange.queueMs], [0, 50]);
});

Deno.test("makeRequest() makes a request that has a moment left", async () => {
  const { clock, forwarded, make } = createBench({ timeoutMs: 50 });
  clock.advance(49.9);
  await make();
  assertEquals(forwarded.length, 1);
});

Deno.test("makeRequest() leaves its deadline to the body, in the stage body", async () => {
  const { exchange, clock, make } = createBench();
  await make();
  clock.advance(10_008);
  const { code, sent, message } = exchange.signal.reason;
  assertEquals([code, sent], ["http_response_timeout", "yes"]);
  assertEquals(message, "The response was not complete within 10000 ms");
});

const COUNTS = [
  { name: "counts", request: {}, expected: true },
  { name: "counts, of the upstream's whole time,", request: { timeoutMs: 500 }, expected: true },
  { name: "does not count, of less time,", request: { timeoutMs: 499 }, expected: false },
  { name: "does not count, of an upload,", request: { bodyFollows: true }, expected: false },
] as const;

for (const { name, request, expected } of COUNTS) {
  Deno.test(`makeRequest() says that a time-out ${name} against the upstream`, async () => {
    const send: Upstream["send"] = (attempt) => attempt();
    const upstream = createFakeUpstream({ timeoutMs: 500, send });
    const { exchange, forwarded, make } = createBench(request);
    if ("bodyFollows" in request) exchange.upload = new ReadableStream();
    await make(upstream);
    const { resilience } = forwarded[0]?.options ?? {};
    assertEquals(resilience?.countsTimeouts, expected);
    assertStrictEquals(resilience?.send, send);
  });
}

Deno.test("makeRequest() returns the head of an upstream's response as the client may see it", async () => {
  const upstream = createFakeUpstream({ conceal: (head) => ({ ...head, url: "shop:/path" }) });
  const { make } = createBench();
  const { head, body } = await make(upstream);
  assertEquals(head, { ...RESPONSE.head, url: "shop:/path" });
  assertStrictEquals(body, BODY);
});

Deno.test("makeRequest() checks the hops of an upstream by what its operator says", async () => {
  const { exchange, forwarded, make } = createBench();
  await make(createFakeUpstream());
  const check = forwarded[0]?.options.check;
  assertEquals(check?.(new URL("http://upstream.test/"), "GET") as object, {
    headers: [["x-key", "k"]],
    upstream: {},
  });
  assertEquals(exchange.record.reason, "upstream:shop");
});

Deno.test("findFirstHop() returns the URL of a request, or asks the registry for the named upstream", () => {
  const target = new URL("http://x/path");
  const caller = { connection: "c", subject: "alice", key: "k", queue: { round: 0 } };
  const asked: unknown[] = [];
  const shop = createFakeUpstream();
  const registry = {
    ...createFakeRegistry(),
    find(name: string, subject: string | undefined): Upstream {
      asked.push([name, subject]);
      return shop;
    },
  };
  assertEquals(findFirstHop({ ...BLANK_REQUEST, target }, caller, registry), {
    url: target,
    upstream: undefined,
  });
  assertEquals(asked, []);
  const named = { ...BLANK_REQUEST, target: { upstream: "shop", path: "/items?a" } };
  const { url, upstream } = findFirstHop(named, caller, registry);
  assertEquals([url.href, asked], ["http://upstream.test/items?a", [["shop", "alice"]]]);
  assertStrictEquals(upstream, shop);
});

const REFUSED = [
  {
    name: "another method",
    request: { method: "BREW" },
    code: "unsupported_method",
    message: 'The method "BREW" is not supported; use one of GET, POST, PUT',
  },
  {
    name: "a long method, of which it quotes 32 characters",
    request: { method: "B".repeat(100) },
    code: "unsupported_method",
    message: `The method "${"B".repeat(32)}" is not supported; use one of GET, POST, PUT`,
  },
  {
    name: "another method that the destination may use instead",
    request: { method: "POST", headers: [["a", "b"], ["x_http_method-OVERRIDE", "delete"]] },
    code: "unsupported_method",
    message: 'The method "DELETE" is not supported; use one of GET, POST, PUT',
  },
  {
    name: "two of them",
    request: { headers: [["x-http-method", "GET"], ["x-method-override", "PATCH"]] },
    code: "unsupported_method",
    message: 'The method "PATCH" is not supported; use one of GET, POST, PUT',
  },
  {
    name: "a body of one byte more than it may have",
    request: { body: new Uint8Array(11) },
    code: "request_too_large",
    message: "The request body has 11 bytes; at most 10 are allowed",
  },
  {
    name: "a time-out of one millisecond more than it may have",
    request: { timeoutMs: 30_001 },
    code: "bad_request",
    message: '"timeoutMs" must be at most 30000',
  },
] as const;

for (const { name, request, code, message } of REFUSED) {
  Deno.test(`refuseRequest() refuses ${name}`, () => {
    const error = assertThrows(
      () => refuseRequest({ ...BLANK_REQUEST, ...request }, RUNNER_LIMITS),
      ProxyError,
    );
    assertEquals([error.code, error.message, error.sent], [code, message, "no"]);
  });
}

Deno.test("refuseRequest() lets pass what is exactly at the limits", () => {
  const request = { method: "PUT", body: new Uint8Array(10), timeoutMs: 30_000 };
  refuseRequest({ ...BLANK_REQUEST, ...request }, RUNNER_LIMITS);
  refuseRequest(BLANK_REQUEST, RUNNER_LIMITS);
  refuseRequest({ ...BLANK_REQUEST, headers: [["x-http-method", "put"]] }, RUNNER_LIMITS);
});

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { BrokenCircuitError } from "cockatiel";
import { toRequestError } from "../../src/http/fetch/failure.ts";
import { type ErrorCode, ProxyError } from "../../src/protocol/mod.ts";
import type { Clock } from "../../src/clock.ts";
import type { RequestTraits } from "../../src/upstream/attempt.ts";
import {
  createRetry,
  parseRetryAfter,
  type Retry,
  type RetryOptions,
} from "../../src/upstream/retry.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";
import { type FetchedAttempt, toAttempt } from "./attempts.ts";

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);
const TRAITS: RequestTraits = {
  method: "GET",
  replayable: true,
  signal: new AbortController().signal,
  countsTimeouts: true,
};

interface Recorded {
  readonly retry: Retry;
  /** How long each wait would have been, in milliseconds. */
  readonly delays: readonly number[];
}

/** Creates a retry whose waits are over at once. */
function createRecorded(
  options: Partial<RetryOptions> = {},
  { isRefusing = false, onWait = () => {} }: {
    readonly isRefusing?: boolean;
    readonly onWait?: () => void;
  } = {},
): Recorded {
  const delays: number[] = [];
  const clock: Clock = {
    ...createFakeClock(NOW),
    after(delayMs, action): () => void {
      delays.push(delayMs);
      action();
      onWait();
      return () => {};
    },
  };
  const retry = createRetry(
    { attempts: 3, backoffMs: 100, maxBackoffMs: 5000, ...options },
    { isRefusing: () => isRefusing, clock },
  );
  return { retry, delays };
}

/** Attempts that have these outcomes, in turn. */
function attemptsOf(
  ...outcomes: (Response | Error)[]
): { attempt: () => Promise<FetchedAttempt>; count(): number } {
  let count = 0;
  return {
    attempt(): Promise<FetchedAttempt> {
      const outcome = outcomes[count++];
      return outcome instanceof Response
        ? Promise.resolve(toAttempt(outcome))
        : Promise.reject(outcome);
    },
    count: () => count,
  };
}

async function fetchHead(url: string, method: string): Promise<FetchedAttempt> {
  try {
    return toAttempt(await fetch(url, { method, ...(method === "POST" && { body: "x" }) }));
  } catch (error) {
    throw toRequestError(error, {
      method,
      isTls: false,
      isProxied: false,
      isUnchecked: false,
      mayBeRepeated: false,
    });
  }
}

const error = (code: ErrorCode, options = {}): ProxyError => new ProxyError(code, code, options);

const STATUS_CASES: readonly {
  name: string;
  responses: readonly number[];
  traits?: Partial<RequestTraits>;
  attempts?: number;
  /** How many requests the server receives. */
  requests: number;
  status: number;
}[] = [
  { name: "a success once", responses: [200], requests: 1, status: 200 },
  { name: "until it succeeds", responses: [503, 503, 200], requests: 3, status: 200 },
  { name: "until attempts are used up", responses: [503, 502, 504, 200], requests: 3, status: 504 },
  {
    name: "once when there is one attempt",
    responses: [503, 200],
    attempts: 1,
    requests: 1,
    status: 503,
  },
  { name: "429 again", responses: [429, 200], requests: 2, status: 200 },
  { name: "502 again", responses: [502, 200], requests: 2, status: 200 },
  { name: "504 again", responses: [504, 200], requests: 2, status: 200 },
  { name: "500 once", responses: [500, 200], requests: 1, status: 500 },
  { name: "501 once", responses: [501, 200], requests: 1, status: 501 },
  { name: "408 once", responses: [408, 200], requests: 1, status: 408 },
  { name: "404 once", responses: [404, 200], requests: 1, status: 404 },
  { name: "what ends with 500 no more", responses: [503, 500, 200], requests: 2, status: 500 },
  { name: "PUT again", responses: [503, 200], traits: { method: "PUT" }, requests: 2, status: 200 },
  {
    name: "DELETE again",
    responses: [503, 200],
    traits: { method: "DELETE" },
    requests: 2,
    status: 200,
  },
  {
    name: "POST once",
    responses: [503, 200],
    traits: { method: "POST" },
    requests: 1,
    status: 503,
  },
  {
    name: "PATCH once",
    responses: [503, 200],
    traits: { method: "PATCH" },
    requests: 1,
    status: 503,
  },
  {
    name: "a body that is gone once",
    responses: [503, 200],
    traits: { method: "PUT", replayable: false },
    requests: 1,
    status: 503,
  },
];

for (const { name, responses, traits, attempts = 3, requests, status } of STATUS_CASES) {
  Deno.test(`createRetry() sends ${name}`, async () => {
    const left = [...responses];
    await using server = startHttp(() => new Response("body", { status: left.shift() ?? 599 }));
    const { retry, delays } = createRecorded({ attempts });
    const { method, ...rest } = { ...TRAITS, ...traits };
    const { response } = await retry(() => fetchHead(server.origin, method), { method, ...rest });
    assertEquals(await response.text(), "body");
    assertEquals(response.status, status);
    assertEquals(server.requests.length, requests);
    assertEquals(delays.length, requests - 1);
  });
}

Deno.test("createRetry() sends again when a connection was refused, and throws the last error", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { retry, delays } = createRecorded();
  const thrown = await assertRejects(
    () => retry(() => fetchHead(`http://127.0.0.1:${port}`, "GET"), TRAITS),
    ProxyError,
  );
  assertEquals([thrown.code, thrown.sent], ["connection_refused", "no"]);
  assertEquals(delays.length, 2);
});

Deno.test("createRetry() sends an idempotent request again when its connection broke off before a response", async () => {
  for (
    const { method, connections } of [{ method: "GET", connections: 3 }, {
      method: "POST",
      connections: 1,
    }]
  ) {
    await using server = startRaw(async (connection) => {
      await connection.readHead();
      connection.close();
    });
    const { retry } = createRecorded();
    const thrown = await assertRejects(
      () => retry(() => fetchHead(server.origin, method), { ...TRAITS, method }),
      ProxyError,
    );
    assertEquals(thrown.code, "connection_terminated");
    assertEquals(server.connections(), connections, method);
  }
});

const ERROR_CASES: readonly { name: string; thrown: Error; count: number }[] = [
  { name: "a retryable error again", thrown: error("dns_timeout"), count: 2 },
  {
    name: "an error again though it may have been sent",
    thrown: error("connection_terminated", { method: "GET" }),
    count: 2,
  },
  {
    name: "an error again that asks for less than the longest wait",
    thrown: error("rate_limited", { retryAfterMs: 5000 }),
    count: 2,
  },
  {
    name: "an error once that asks for more",
    thrown: error("rate_limited", { retryAfterMs: 5001 }),
    count: 1,
  },
  { name: "an error once that is not retryable", thrown: error("tls_certificate_error"), count: 1 },
  { name: "what is no ProxyError once", thrown: new TypeError("bug"), count: 1 },
  {
    name: "a refusal by the breaker once",
    thrown: error("destination_unavailable", { cause: new BrokenCircuitError() }),
    count: 1,
  },
];

for (const { name, thrown, count } of ERROR_CASES) {
  Deno.test(`createRetry() sends ${name}`, async () => {
    const attempts = attemptsOf(thrown, new Response());
    const { retry } = createRecorded();
    const [outcome] = await Promise.allSettled([retry(attempts.attempt, TRAITS)]);
    assertEquals(attempts.count(), count);
    assertEquals(outcome.status, count === 1 ? "rejected" : "fulfilled");
    if (outcome.status === "rejected") assertStrictEquals(outcome.reason, thrown);
  });
}

const RETRY_AFTER_CASES: readonly { name: string; value: string; delays: readonly number[] }[] = [
  { name: "seconds", value: "2", delays: [2000] },
  { name: "the longest wait", value: "5", delays: [5000] },
  { name: "nothing for more than the longest wait", value: "6", delays: [] },
  { name: "nothing for far more", value: "9".repeat(400), delays: [] },
  { name: "a date", value: "Thu, 01 Jan 2026 12:00:03 GMT", delays: [3000] },
  { name: "nothing for a date too far", value: "Thu, 01 Jan 2026 12:00:06 GMT", delays: [] },
];

for (const { name, value, delays: expected } of RETRY_AFTER_CASES) {
  Deno.test(`createRetry() waits ${name} as Retry-After asks`, async () => {
    let isFirst = true;
    await using server = startHttp(() => {
      const response = isFirst
        ? new Response("later", { status: 503, headers: { "retry-after": value } })
        : new Response("now");
      isFirst = false;
      return response;
    });
    const { retry, delays } = createRecorded();
    const { response } = await retry(() => fetchHead(server.origin, "GET"), TRAITS);
    assertEquals(await response.text(), expected.length === 0 ? "later" : "now");
    assertEquals(delays, expected);
    assertEquals(server.requests.length, expected.length + 1);
  });
}

Deno.test("createRetry() ignores a Retry-After that is invalid, past or shorter than its own wait", async () => {
  for (const value of ["soon", "-1", "1.5", "", "0", "Mon, 01 Jan 2024 00:00:00 GMT"]) {
    const first = new Response(null, { status: 429, headers: { "retry-after": value } });
    const attempts = attemptsOf(first, new Response());
    const { retry, delays } = createRecorded();
    await retry(attempts.attempt, TRAITS);
    const [delayMs = NaN] = delays;
    assert(delayMs >= 0 && delayMs < 100, `${value}: ${delayMs}`);
  }
});

Deno.test("createRetry() waits a random time up to a bound that doubles, but not longer than the longest wait", async () => {
  const bounds = [100, 200, 400, 500, 500];
  const longest = bounds.map(() => 0);
  for (let run = 0; run < 100; run++) {
    const { retry, delays } = createRecorded({ attempts: 6, maxBackoffMs: 500 });
    await retry(() => Promise.resolve(toAttempt(new Response(null, { status: 503 }))), TRAITS);
    assertEquals(delays.length, bounds.length);
    for (const [index, bound] of bounds.entries()) {
      const delayMs = delays[index] ?? NaN;
      assert(delayMs >= 0 && delayMs < bound, `${delayMs} of ${bound}`);
      longest[index] = Math.max(longest[index] ?? 0, delayMs);
    }
  }
  for (const [index, bound] of bounds.entries()) assert((longest[index] ?? 0) > bound / 2);
});

Deno.test("createRetry() discards a response before it waits, even one that broke off", async () => {
  const events: string[] = [];
  const dropped = new Response(
    new ReadableStream({ cancel: () => void events.push("cancelled") }),
    { status: 503 },
  );
  const broken = new Response(
    new ReadableStream({ start: (controller) => controller.error(new Error("reset")) }),
    { status: 503 },
  );
  const attempts = attemptsOf(dropped, broken, new Response("well"));
  const { retry } = createRecorded({}, { onWait: () => void events.push("wait") });
  const { response } = await retry(attempts.attempt, TRAITS);
  assertEquals(events, ["cancelled", "wait", "wait"]);
  assertEquals(await response.text(), "well");
});

Deno.test("createRetry() returns the failure of the last attempt when a further request would be refused", async () => {
  const attempts = attemptsOf(new Response("failing", { status: 503 }));
  const { retry, delays } = createRecorded({}, { isRefusing: true });
  const { response } = await retry(attempts.attempt, TRAITS);
  assertEquals([await response.text(), attempts.count(), delays.length], ["failing", 1, 0]);
});

Deno.test("createRetry() does not wait after the signal was aborted, and makes no attempt if it was aborted during a wait", async () => {
  const reason = error("http_response_timeout", { method: "GET" });
  const during = new AbortController();
  const { retry, delays } = createRecorded();
  const thrown = await assertRejects(() =>
    retry(() => {
      during.abort(reason);
      return Promise.reject(reason);
    }, { ...TRAITS, signal: during.signal })
  );
  assertStrictEquals(thrown, reason);
  assertEquals(delays, []);

  const after = new AbortController();
  const attempts = attemptsOf(new Response(null, { status: 503 }), new Response());
  const late = createRecorded({}, { onWait: () => after.abort(reason) });
  const thrownLate = await assertRejects(
    () => late.retry(attempts.attempt, { ...TRAITS, signal: after.signal }),
    ProxyError,
  );
  assertStrictEquals(thrownLate.cause, reason);
  assertEquals(thrownLate.sent, "yes");
  assertEquals(attempts.count(), 1);
});

const SENT_CASES = [
  { name: "an earlier response", first: new Response(null, { status: 503 }), sent: "yes" },
  {
    name: "an earlier break",
    first: error("connection_terminated", { method: "GET" }),
    sent: "maybe",
  },
] as const;

for (const { name, first, sent } of SENT_CASES) {
  Deno.test(`createRetry() throws an error whose sent covers ${name}`, async () => {
    const last = error("rate_limited", { retryAfterMs: 7 });
    const { retry } = createRecorded({ attempts: 2 });
    const thrown = await assertRejects(
      () => retry(attemptsOf(first, last).attempt, TRAITS),
      ProxyError,
    );
    assertEquals(
      [thrown.code, thrown.message, thrown.sent, thrown.retryable, thrown.retryAfterMs],
      ["rate_limited", "rate_limited", sent, true, 7],
    );
    assertStrictEquals(thrown.cause, last);
  });
}

const PARSE_CASES: readonly { name: string; value: string; expected: number | undefined }[] = [
  { name: "seconds", value: "120", expected: 120_000 },
  { name: "no seconds", value: "0", expected: 0 },
  { name: "a date", value: "Thu, 01 Jan 2026 12:01:00 GMT", expected: 60_000 },
  { name: "a date in the past", value: "Thu, 01 Jan 2026 11:59:00 GMT", expected: 0 },
  { name: "a date of RFC 850", value: "Thursday, 01-Jan-26 12:01:00 GMT", expected: 60_000 },
  { name: "a date of asctime", value: "Thu Jan  1 12:01:00 2026", expected: 60_000 },
  { name: "no such date", value: "Thu, 99 Jan 2026 12:00:00 GMT", expected: undefined },
  { name: "another zone", value: "Thu, 01 Jan 2026 12:00:00 +0100", expected: undefined },
  { name: "an ISO date", value: "2026-01-01T12:01:00Z", expected: undefined },
  { name: "a fraction", value: "1.5", expected: undefined },
  { name: "a negative number", value: "-1", expected: undefined },
  { name: "an exponent", value: "1e3", expected: undefined },
  { name: "two values", value: "1, 2", expected: undefined },
  { name: "a word", value: "soon", expected: undefined },
  { name: "nothing", value: "", expected: undefined },
];

for (const { name, value, expected } of PARSE_CASES) {
  Deno.test(`parseRetryAfter() reads ${name}${expected === undefined ? " as invalid" : ""}`, () => {
    assertEquals(parseRetryAfter(value, NOW), expected);
  });
}

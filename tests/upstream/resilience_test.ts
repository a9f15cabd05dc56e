import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { toRequestError } from "../../src/http/fetch/failure.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import type { RequestTraits } from "../../src/upstream/attempt.ts";
import { createResilience } from "../../src/upstream/resilience.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { startHttp } from "../helpers/upstream.ts";
import { type FetchedAttempt, toAttempt } from "./attempts.ts";

const TRAITS: RequestTraits = {
  method: "GET",
  replayable: true,
  signal: new AbortController().signal,
  countsTimeouts: true,
};
const RETRY = { attempts: 3, backoffMs: 1, maxBackoffMs: 10_000 };
const BREAKER = { failures: 2, openMs: 30_000 };

async function fetchHead(url: string, signal?: AbortSignal): Promise<FetchedAttempt> {
  try {
    return toAttempt(await fetch(url, { ...(signal && { signal }) }));
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw toRequestError(error, {
      method: "GET",
      isTls: false,
      isProxied: false,
      isUnchecked: false,
      mayBeRepeated: false,
    });
  }
}

/** An exchange that runs until the test ends it. */
function occupy(): { run: () => Promise<string>; leave(): void } {
  const { promise, resolve } = Promise.withResolvers<string>();
  return { run: () => promise, leave: () => resolve("left") };
}

Deno.test("createResilience() without options calls the functions directly", async () => {
  await using server = startHttp(() => new Response("x", { status: 503 }));
  using resilience = createResilience({});
  const running = Promise.resolve("done");
  assertStrictEquals(resilience.within(() => running), running);
  const sending = Promise.resolve(toAttempt(new Response()));
  assertStrictEquals(resilience.send(() => sending, TRAITS), sending);
  for (let request = 0; request < 20; request++) {
    const failed = await resilience.send(() => fetchHead(server.origin), TRAITS);
    failed.body.discard();
    assertEquals(failed.status, 503);
  }
  assertEquals(server.requests.length, 20);
});

Deno.test("within() refuses an exchange above the limit without waiting, until one has ended", async () => {
  using resilience = createResilience({ maxInFlight: 2 });
  const [first, second] = [occupy(), occupy()];
  const running = [resilience.within(first.run), resilience.within(second.run)];
  const refused = await assertRejects(
    () => resilience.within(() => Promise.resolve(1)),
    ProxyError,
  );
  assertEquals([refused.code, refused.sent, refused.retryable], ["too_many_in_flight", "no", true]);
  assertMatch(refused.message, /upstream takes 2 requests at a time/);
  first.leave();
  assertEquals(await running[0], "left");
  assertEquals(await resilience.within(() => Promise.resolve(1)), 1);
  second.leave();
  await running[1];
});

Deno.test("within() frees the place of an exchange that fails, and throws its error", async () => {
  using resilience = createResilience({ maxInFlight: 1 });
  const failure = new ProxyError("connection_refused", "refused");
  for (let exchange = 0; exchange < 3; exchange++) {
    const thrown = await assertRejects(() => resilience.within(() => Promise.reject(failure)));
    assertStrictEquals(thrown, failure);
  }
});

Deno.test("within() counts each upstream by itself", async () => {
  using one = createResilience({ maxInFlight: 1 });
  using other = createResilience({ maxInFlight: 1 });
  const place = occupy();
  const running = one.within(place.run);
  assertEquals(await other.within(() => Promise.resolve(1)), 1);
  place.leave();
  await running;
});

Deno.test("send() retries on the system's clock by default, until the server is well", async () => {
  const answers = [503, 503, 200];
  await using server = startHttp(() => new Response("x", { status: answers.shift() ?? 599 }));
  using resilience = createResilience({ retry: RETRY });
  const response = await resilience.send(() => fetchHead(server.origin), TRAITS);
  response.body.discard();
  assertEquals([response.status, server.requests.length], [200, 3]);
});

Deno.test("send() waits for as long as Retry-After says before it asks again", async () => {
  const clock = createFakeClock();
  let isFirst = true;
  await using server = startHttp(() => {
    const status = isFirst ? 503 : 200;
    isFirst = false;
    return new Response("x", { status, headers: { "retry-after": "7" } });
  });
  using resilience = createResilience({ retry: RETRY }, { clock });
  const waiting = clock.until(7000);
  const sending = resilience.send(() => fetchHead(server.origin), TRAITS);
  await waiting;
  clock.advance(6999);
  assertEquals([server.requests.length, clock.delays], [1, [7000]]);
  clock.advance(1);
  const response = await sending;
  response.body.discard();
  assertEquals([response.status, server.requests.length, clock.delays], [200, 2, []]);
});

Deno.test("send() compares a Retry-After that is a date with the time of its clock", async () => {
  const clock = createFakeClock(Date.UTC(2026, 0, 1));
  const responses = [
    new Response(null, {
      status: 503,
      headers: { "retry-after": "Thu, 01 Jan 2026 00:00:04 GMT" },
    }),
    new Response(),
  ];
  using resilience = createResilience({ retry: RETRY }, { clock });
  const waiting = clock.until(4000);
  const sending = resilience.send(
    () => Promise.resolve(toAttempt(responses.shift() ?? Response.error())),
    TRAITS,
  );
  await waiting;
  clock.advance(4000);
  assertEquals((await sending).status, 200);
});

Deno.test("send() ends its wait at once with the signal's reason, and leaves no timer", async () => {
  const clock = createFakeClock();
  await using server = startHttp(() =>
    new Response("x", { status: 503, headers: { "retry-after": "5" } })
  );
  using resilience = createResilience({ retry: RETRY }, { clock });
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = clock.until(5000);
  const sending = resilience.send(() => fetchHead(server.origin, signal), { ...TRAITS, signal });
  await waiting;
  const reason = new ProxyError("http_response_timeout", "Too late", { method: "GET" });
  controller.abort(reason);
  const error = await assertRejects(() => sending, ProxyError);
  assertStrictEquals(error.cause, reason);
  assertEquals([error.message, error.sent], ["Too late", "yes"]); // the upstream has responded once
  assertEquals([server.requests.length, clock.delays], [1, []]);
});

Deno.test("send() does not retry a request that is aborted during an attempt", async () => {
  const arrived = Promise.withResolvers<void>();
  const end = Promise.withResolvers<Response>();
  await using server = startHttp(() => {
    arrived.resolve();
    return end.promise;
  });
  using resilience = createResilience({ retry: RETRY, breaker: { failures: 1, openMs: 1000 } });
  const controller = new AbortController();
  const { signal } = controller;
  const sending = resilience.send(() => fetchHead(server.origin, signal), { ...TRAITS, signal });
  await arrived.promise;
  controller.abort();
  assertStrictEquals(await assertRejects(() => sending), signal.reason);
  end.resolve(new Response());
  const response = await resilience.send(() => fetchHead(server.origin), TRAITS); // still closed
  response.body.discard();
  assertEquals(server.requests.length, 2);
});

Deno.test("send() counts each attempt, and returns the response that opened the breaker", async () => {
  await using server = startHttp(() => new Response("failing", { status: 503 }));
  using resilience = createResilience({ retry: { ...RETRY, attempts: 5 }, breaker: BREAKER });
  const response = await resilience.send(() => fetchHead(server.origin), TRAITS);
  assertEquals([response.status, await response.response.text()], [503, "failing"]);
  assertEquals(server.requests.length, 2);
  for (let request = 0; request < 5; request++) {
    const refused = await assertRejects(
      () => resilience.send(() => fetchHead(server.origin), TRAITS),
      ProxyError,
    );
    assertEquals([refused.code, refused.sent], ["destination_unavailable", "no"]);
  }
  assertEquals(server.requests.length, 2);
});

Deno.test("send() does not retry a refusal, and throws it with the sent of earlier attempts", async () => {
  const clock = createFakeClock();
  await using server = startHttp(() =>
    new Response("x", { status: 503, headers: { "retry-after": "3" } })
  );
  using resilience = createResilience({ retry: RETRY, breaker: BREAKER }, { clock });
  const waiting = clock.until(3000);
  const sending = resilience.send(() => fetchHead(server.origin), TRAITS);
  await waiting;
  const other = await resilience.send(() => fetchHead(server.origin), {
    ...TRAITS,
    method: "POST",
  });
  other.body.discard(); // the second failure: the breaker opens during the wait
  clock.advance(3000);
  const refused = await assertRejects(() => sending, ProxyError);
  assertEquals(
    [refused.code, refused.sent, refused.retryAfterMs],
    ["destination_unavailable", "yes", BREAKER.openMs - 3000],
  );
  assertEquals([server.requests.length, clock.delays], [2, []]);
});

Deno.test("send() opens the breaker after as many refused connections as configured", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  using resilience = createResilience({ breaker: { failures: 3, openMs: 30_000 } });
  let attempts = 0;
  const codes: string[] = [];
  for (let request = 0; request < 6; request++) {
    const thrown = await assertRejects(() =>
      resilience.send(() => {
        attempts++;
        return fetchHead(`http://127.0.0.1:${port}`);
      }, TRAITS), ProxyError);
    codes.push(thrown.code);
  }
  assertEquals(codes.slice(0, 3), Array(3).fill("connection_refused"));
  assertEquals(codes.slice(3), Array(3).fill("destination_unavailable"));
  assertEquals(attempts, 3);
});

Deno.test("16 exchanges at once against a failing server open its breaker; then none reaches it", async () => {
  const all = Promise.withResolvers<void>();
  const server = startHttp(async () => {
    if (server.requests.length === 16) all.resolve();
    await all.promise;
    return new Response("x", { status: 503 });
  });
  await using _server = server;
  using resilience = createResilience({ maxInFlight: 16, retry: RETRY, breaker: BREAKER });
  const exchange = (): Promise<number> =>
    resilience.within(async () => {
      const response = await resilience.send(() => fetchHead(server.origin), TRAITS);
      response.body.discard();
      return response.status;
    });
  const running = Array.from({ length: 16 }, exchange);
  const refused = await assertRejects(exchange, ProxyError);
  assertEquals(refused.code, "too_many_in_flight");
  const ends = await Promise.allSettled(running);
  assert(
    ends.every((end) => end.status === "fulfilled" ? end.value === 503 : end.reason.sent === "yes"),
  );
  const open = await assertRejects(exchange, ProxyError);
  assertEquals([open.code, server.requests.length], ["destination_unavailable", 16]);
});

Deno.test("the timers of a probe and of a wait do not keep the process alive", async () => {
  const module = import.meta.resolve("../../src/upstream/resilience.ts");
  const code = `
    import { createResilience } from ${JSON.stringify(module)};
    const openMs = 60_000, signal = new AbortController().signal;
    const { send } = createResilience(
      { breaker: { failures: 1, openMs } },
      { probe: () => Promise.resolve(true) },
    );
    const traits = { method: "GET", replayable: true, signal, countsTimeouts: true };
    const failing = () => Promise.resolve({ status: 503, headers: [["retry-after", "60"]], body: { discard() {} } });
    await send(failing, traits);
    const again = createResilience({ retry: { attempts: 2, backoffMs: 1, maxBackoffMs: openMs } });
    again.send(failing, traits);
    console.log("waiting");
  `;
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", code],
    cwd: new URL("../../", import.meta.url),
    signal: AbortSignal.timeout(30_000),
  }).output();
  assertEquals([success, new TextDecoder().decode(stdout).trim()], [true, "waiting"]);
});

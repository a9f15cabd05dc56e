/**
 * Credentials that end and are renewed, and drains, on a connection whose client reads when the test says.
 */
import { assert, assertEquals } from "@std/assert";
import type { Authenticator, Identity } from "../../src/auth/authenticator.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createBench, noRun } from "../helpers/connection.ts";

const ALICE: Identity = { subject: "alice" };

/** An identity whose credential has just ended. */
function createExpired(): Identity {
  return { ...ALICE, expiresAt: Date.now() - 1 };
}

function auth(token: string): string {
  return JSON.stringify({ type: "auth", token });
}

interface Check extends PromiseWithResolvers<Identity> {
  readonly token: string;
}

/** An authenticator, and its checks, which the test ends. */
function createChecks(): { readonly authenticator: Authenticator; readonly checks: Check[] } {
  const checks: Check[] = [];
  const authenticator = {
    authenticate(token: string): Promise<Identity> {
      const check = { ...Promise.withResolvers<Identity>(), token };
      checks.push(check);
      return check.promise;
    },
  };
  return { authenticator, checks };
}

Deno.test("a credential that arrives while the last frames of an expired connection are read keeps it open", async () => {
  const { connection, runs, closedWith, log, buffer, request } = createBench({
    identity: createExpired(),
    authenticator: { authenticate: () => Promise.resolve(ALICE) },
  });
  buffer.amount = 1;
  await buffer.looked(); // the grace is over: the connection closes when its client has read everything
  connection.receive(auth("a"));
  await log.logged("authenticated");
  buffer.amount = 0;
  await buffer.looked();
  for (const id of [1, 2]) {
    request(id);
    (runs[id - 1] ?? noRun()).resolve();
    assertEquals((await log.logged("exchanged", (line) => line.id === id)).outcome, "response");
  }
  assertEquals(closedWith(), undefined);
  connection.closed(1005);
  assertEquals((await log.logged("disconnected")).closedBy, "client");
});

Deno.test("of two auth frames at once each is answered once: the second is refused for now, the first checked", async () => {
  const { authenticator, checks } = createChecks();
  const { connection, sent, closedWith, log } = createBench({ identity: ALICE, authenticator });
  for (const token of ["first", "second"]) connection.receive(auth(token));
  assertEquals((await log.logged("authenticated")).outcome, "refused");
  const { type, id, code, retryable } = sent.at(-1);
  assertEquals([sent.length, type, id, code, retryable], [
    2,
    "error",
    undefined,
    "unauthorized",
    true,
  ]);
  const [first] = checks;
  first?.resolve({ ...ALICE, expiresAt: 8.64e15 });
  await log.logged("authenticated", ({ outcome }) => outcome === "renewed");
  assertEquals([sent.length, sent.at(-1)], [3, {
    type: "authenticated",
    identity: "alice",
    expiresAt: "+275760-09-13T00:00:00.000Z",
  }]);
  assertEquals([closedWith(), checks.map(({ token }) => token)], [undefined, ["first"]]);
  connection.closed(1005);
});

const UNAVAILABLE = new ProxyError("unauthorized", "Try again", { retryable: true });

const ENDS = {
  renewed: ({ resolve }: Check) => resolve(ALICE),
  refused: ({ reject }: Check) => reject(UNAVAILABLE),
};

for (const outcomes of [["renewed", "refused"], ["refused", "renewed"]] as const) {
  Deno.test(`an auth frame is checked after another that was ${outcomes[0]}`, async () => {
    const { authenticator, checks } = createChecks();
    const { connection, sent, closedWith, log } = createBench({ identity: ALICE, authenticator });
    for (const outcome of outcomes) {
      connection.receive(auth(outcome));
      const check = checks.at(-1);
      assertEquals(check?.token, outcome);
      if (check !== undefined) ENDS[outcome](check);
      await log.logged("authenticated", (line) => line.outcome === outcome);
    }
    assertEquals([sent.length, closedWith()], [3, undefined]);
    connection.closed(1005);
  });
}

/** A time that the test sets, and the timers that were asked for. */
interface Clock extends Disposable {
  now: number;
  readonly timers: { readonly callback: () => void; readonly delayMs: number }[];
}

/** Takes the place of `Date.now` and `setTimeout` until it is disposed of. */
function createClock(): Clock {
  const { now } = Date;
  const { setTimeout } = globalThis;
  const clock: Clock = {
    now: now(),
    timers: [],
    [Symbol.dispose](): void {
      Date.now = now;
      globalThis.setTimeout = setTimeout;
    },
  };
  Date.now = () => clock.now;
  Object.assign(globalThis, {
    setTimeout(callback: () => void, delayMs: number): void {
      clock.timers.push({ callback, delayMs });
    },
  });
  return clock;
}

Deno.test("a credential is valid until the millisecond that it ends in", () => {
  using clock = createClock();
  const identity = { ...ALICE, expiresAt: clock.now + 10 };
  const { connection, runs, sent, request } = createBench({ identity });
  clock.now += 9;
  request(1);
  clock.now += 1;
  request(2);
  assertEquals([runs.length, sent.at(-1).id, sent.at(-1).code], [1, 2, "unauthorized"]);
  connection.closed(1005);
});

Deno.test("a credential that lasts longer than a timer can ends on time", async () => {
  using clock = createClock();
  const lastsMs = 2 ** 32;
  const begunAt = clock.now;
  const identity = { ...ALICE, expiresAt: begunAt + lastsMs };
  const { connection, runs, request, closing, closedWith } = createBench({ identity });
  request(1);
  while (clock.now < begunAt + lastsMs) {
    const { callback, delayMs = 0 } = clock.timers.pop() ?? {};
    assert(delayMs > 0 && delayMs < 2 ** 31, String(delayMs));
    clock.now += delayMs;
    callback?.();
  }
  assertEquals(clock.now, begunAt + lastsMs + 1, "with the grace of a bench");
  assertEquals(closedWith(), undefined, "an exchange is in flight");
  (runs[0] ?? noRun()).resolve();
  assertEquals(await closing, 4501);
  connection.closed(1005);
});

Deno.test("a credential that is checked until the client has left sets no timer", async () => {
  using clock = createClock();
  const { authenticator, checks } = createChecks();
  const { connection, sent, log } = createBench({ identity: ALICE, authenticator });
  connection.receive(auth("late"));
  connection.closed(1005);
  checks[0]?.resolve({ ...ALICE, expiresAt: clock.now + 60_000 });
  await log.logged("authenticated");
  assertEquals([sent.length, clock.timers.length], [1, 0], "hello is all");
});

Deno.test("a drain is announced once, and closes after the exchange in flight", async () => {
  const { connection, runs, sent, closedWith, closing, request } = createBench();
  request(1);
  for (const graceMs of [5, 6]) connection.drain(graceMs);
  assertEquals(sent.slice(1), [{ type: "goaway", graceMs: 5 }]);
  assertEquals(closedWith(), undefined);
  (runs[0] ?? noRun()).resolve();
  assertEquals(await closing, 1001);
  connection.closed(1005);
});

Deno.test("the end of a drain's grace does not wait for a client that does not read", () => {
  const { connection, runs, buffer, closedWith, request } = createBench();
  request(1);
  buffer.amount = 2;
  connection.drain(1);
  assertEquals(closedWith(), undefined);
  connection.expire();
  assertEquals([closedWith(), runs[0]?.exchange.controller.signal.aborted], [1001, true]);
  connection.closed(1005);
});

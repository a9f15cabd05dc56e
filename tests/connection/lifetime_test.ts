/**
 * Credentials that expire and are renewed, and drains, on a connection whose client reads when the test says so.
 */
import { assertEquals } from "@std/assert";
import type { Authenticator, Identity } from "../../src/auth/authenticator.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { type Bench, createBench } from "../helpers/connection.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { settle } from "../helpers/exchange.ts";

const ALICE: Identity = { subject: "alice" };
const START = createFakeClock().epochMs();

/** An identity whose credential expires so many milliseconds after the start. */
const expiring = (ms: number): Identity => ({ ...ALICE, expiresAt: START + ms });

const authenticated = (identity: Identity): Authenticator => ({
  authenticate: () => Promise.resolve(identity),
});

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

const closesOf = ({ webSocket }: Bench): readonly number[] => webSocket.closes;

Deno.test("an expired credential refuses requests, and leaves those in flight alone", async () => {
  const bench = createBench({ identity: expiring(10) });
  const { clock, request, run, frames } = bench;
  clock.advance(9);
  request(1);
  clock.advance(1);
  request(2);
  const { id, code, sent, retryable } = frames().at(-1);
  assertEquals([id, code, sent, retryable], [2, "unauthorized", "no", false]);
  run(0).respond();
  await run(0).done;
  assertEquals([frames().at(-1).id, bench.started()], [1, 1]);
  clock.advance(1000);
  await settle();
  assertEquals(closesOf(bench), [4501]);
});

Deno.test("a connection closes with 4501 after the grace, once its last exchange has ended", async () => {
  const bench = createBench({ identity: expiring(10) });
  const { clock, request, run } = bench;
  for (const id of [1, 2]) request(id);
  clock.advance(1010);
  for (const index of [0, 1]) {
    await settle();
    assertEquals(closesOf(bench), []);
    run(index).respond();
    await run(index).done;
  }
  await settle();
  assertEquals(closesOf(bench), [4501]);
});

Deno.test("exchanges that are in flight too long after the grace fail as unauthorized", async () => {
  const bench = createBench({ identity: expiring(10) });
  const { clock, request, run, frames } = bench;
  request(1, { method: "POST" });
  clock.advance(1010 + 499);
  assertEquals(run(0).exchange.signal.aborted, false);
  clock.advance(1);
  await run(0).done;
  const { id, code, message, sent, retryable } = frames().at(-1);
  assertEquals([id, code, sent, retryable], [1, "unauthorized", "maybe", false]);
  assertEquals(message, "The credential has expired; open a connection with a new one");
  await settle();
  assertEquals(closesOf(bench), [4501]);
});

Deno.test("a credential that arrives while the last frames of an expired connection are read keeps it open", async () => {
  const bench = createBench({ identity: expiring(-1), authenticator: authenticated(ALICE) });
  const { clock, webSocket, connection, receive, request, run, telemetry } = bench;
  webSocket.buffered = 1;
  clock.advance(1000); // the grace is over: the connection closes when its client has read everything
  receive({ type: "auth", token: "a" });
  await telemetry.first("authenticated");
  webSocket.buffered = 0;
  clock.turn();
  await settle();
  for (const id of [1, 2]) {
    request(id);
    run(id - 1).respond();
    assertEquals(
      (await telemetry.first("exchanged", (event) => event.id === id)).outcome,
      "response",
    );
  }
  assertEquals(closesOf(bench), []);
  connection.closed(1005);
  assertEquals(telemetry.of("disconnected").map(({ closedBy }) => closedBy), ["client"]);
});

Deno.test("a connection closes when its client has read everything, and not before", async () => {
  const bench = createBench({ identity: expiring(-1) });
  const { clock, webSocket } = bench;
  webSocket.buffered = 1;
  clock.advance(1000);
  for (let turns = 0; turns < 10; turns++) {
    clock.turn();
    await settle();
    assertEquals(closesOf(bench), []);
  }
  webSocket.buffered = 0;
  clock.turn();
  await settle();
  assertEquals(closesOf(bench), [4501]);
});

Deno.test("a renewed credential is told to the client and the log, and lasts as long as it says", async () => {
  const authenticator = authenticated(expiring(5000));
  const bench = createBench({ identity: expiring(10), authenticator });
  const { clock, receive, request, frames, telemetry } = bench;
  receive({ type: "auth", token: "t" });
  await settle();
  const expiresAt = new Date(START + 5000).toISOString();
  assertEquals(frames().at(-1), { type: "authenticated", identity: "alice", expiresAt });
  assertEquals(telemetry.events, [
    { type: "authenticated", connection: "c", identity: "alice", outcome: "renewed" },
  ]);
  clock.advance(4999);
  request(1);
  assertEquals(bench.started(), 1);
  clock.advance(1);
  request(2);
  assertEquals(frames().at(-1).code, "unauthorized");
});

Deno.test("of two auth frames at once the second is refused for now, and the first is checked", async () => {
  const { authenticator, checks } = createChecks();
  const bench = createBench({ identity: ALICE, authenticator });
  const { receive, frames, telemetry } = bench;
  for (const token of ["first", "second"]) receive({ type: "auth", token });
  const { outcome, reason } = await telemetry.first("authenticated");
  const { type, id, code, retryable, message } = frames().at(-1);
  assertEquals([outcome, reason, frames().length], ["refused", message, 2]);
  assertEquals([type, id, code, retryable], ["error", undefined, "unauthorized", true]);
  const [first] = checks;
  first?.resolve({ ...ALICE, expiresAt: 8.64e15 });
  await telemetry.first("authenticated", ({ outcome }) => outcome === "renewed");
  assertEquals([frames().length, frames().at(-1)], [3, {
    type: "authenticated",
    identity: "alice",
    expiresAt: "+275760-09-13T00:00:00.000Z",
  }]);
  assertEquals([closesOf(bench), checks.map(({ token }) => token)], [[], ["first"]]);
});

const UNAVAILABLE = new ProxyError("unauthorized", "Try again", { retryable: true });

const ENDS = {
  renewed: ({ resolve }: Check) => resolve(ALICE),
  refused: ({ reject }: Check) => reject(UNAVAILABLE),
};

for (const outcomes of [["renewed", "refused"], ["refused", "renewed"]] as const) {
  Deno.test(`an auth frame is checked after another that was ${outcomes[0]}`, async () => {
    const { authenticator, checks } = createChecks();
    const bench = createBench({ identity: ALICE, authenticator });
    const { receive, frames, telemetry } = bench;
    for (const outcome of outcomes) {
      receive({ type: "auth", token: outcome });
      const check = checks.at(-1);
      assertEquals(check?.token, outcome);
      if (check !== undefined) ENDS[outcome](check);
      await telemetry.first("authenticated", (event) => event.outcome === outcome);
    }
    assertEquals([frames().length, closesOf(bench)], [3, []]);
  });
}

Deno.test("a credential that is not valid closes with 4501 at once, and cancels what is in flight", async () => {
  for (const isOther of [true, false]) {
    const { authenticator, checks } = createChecks();
    const bench = createBench({ identity: ALICE, authenticator });
    const { receive, request, run, frames, telemetry } = bench;
    request(1);
    receive({ type: "auth", token: "bad" });
    if (isOther) checks[0]?.resolve({ subject: "bob" });
    else checks[0]?.reject(new ProxyError("unauthorized", "The credential is not valid"));
    await run(0).done;
    assertEquals([closesOf(bench), frames().length], [[4501], 1], "hello is all that was sent");
    const { outcome, identity, reason } = await telemetry.first("authenticated");
    assertEquals([outcome, identity, typeof reason], ["refused", "alice", "string"]);
    assertEquals(run(0).exchange.record.outcome, "cancelled");
  }
});

Deno.test("a credential whose check fails inside the service is an error, which is logged", async () => {
  const { authenticator, checks } = createChecks();
  const bench = createBench({ identity: ALICE, authenticator });
  const { receive, frames, telemetry } = bench;
  receive({ type: "auth", token: "t" });
  const bug = new TypeError("a bug");
  checks[0]?.reject(bug);
  await settle();
  assertEquals([frames().at(-1).code, closesOf(bench)], ["proxy_internal_error", []]);
  assertEquals(telemetry.of("failed"), [{ type: "failed", connection: "c", error: bug }]);
});

Deno.test("a credential survives a log that cannot be written", async () => {
  const full = new Error("The log is full");
  const bench = createBench({
    identity: ALICE,
    authenticator: authenticated(ALICE),
    before({ type }): void {
      if (type === "authenticated") throw full;
    },
  });
  bench.receive({ type: "auth", token: "t" });
  await settle();
  assertEquals(bench.telemetry.of("failed").map(({ error }) => error), [full]);
});

Deno.test("a credential that lasts longer than a timer can expires on time", async () => {
  const lastsMs = 2 ** 32;
  const bench = createBench({ identity: expiring(lastsMs) });
  const { clock, request, run } = bench;
  request(1);
  run(0).exchange.clearDeadline();
  clock.advance(lastsMs + 999);
  assertEquals(clock.now(), lastsMs + 999);
  request(2);
  assertEquals(bench.frames().at(-1).code, "unauthorized");
  clock.advance(1);
  await settle();
  assertEquals(closesOf(bench), [], "an exchange is in flight");
  run(0).respond();
  await run(0).done;
  await settle();
  assertEquals(closesOf(bench), [4501]);
});

Deno.test("a credential that is checked until the client has left sets no timer", async () => {
  const { authenticator, checks } = createChecks();
  const { connection, clock, receive, frames, telemetry } = createBench({
    identity: ALICE,
    authenticator,
  });
  receive({ type: "auth", token: "late" });
  connection.closed(1005);
  checks[0]?.resolve(expiring(60_000));
  await telemetry.first("authenticated");
  assertEquals([frames().length, clock.delays], [1, []], "hello is all that was sent");
});

Deno.test("a connection that has closed leaves no timer of its credential", () => {
  for (const isServer of [true, false]) {
    const { connection, clock } = createBench({ identity: expiring(60_000) });
    assertEquals(clock.delays.length, 1);
    if (isServer) connection.socket.close(4500);
    else connection.closed(1005);
    assertEquals(clock.delays, []);
  }
});

Deno.test("a drain is announced once, and closes after the exchange in flight", async () => {
  const bench = createBench();
  const { connection, request, run, frames } = bench;
  request(1);
  for (const graceMs of [5, 6]) connection.drain(graceMs);
  assertEquals(frames().slice(1), [{ type: "goaway", graceMs: 5 }]);
  await settle();
  assertEquals(closesOf(bench), []);
  run(0).respond();
  await run(0).done;
  await settle();
  assertEquals([closesOf(bench), frames().at(-1).id, bench.closings()], [[1001], 1, 1]);
});

Deno.test("a drain closes an idle connection when its client has read goaway", async () => {
  const bench = createBench();
  const { connection, webSocket, clock } = bench;
  webSocket.buffered = 1;
  connection.drain(5);
  await settle();
  assertEquals(closesOf(bench), []);
  webSocket.buffered = 0;
  clock.advance(1); // frames were sent just now: the buffer is looked at once a millisecond
  await settle();
  assertEquals(closesOf(bench), [1001]);
});

Deno.test("a drain refuses new requests, whether or not the credential has expired", () => {
  for (const identity of [ALICE, expiring(-1)]) {
    const bench = createBench({ identity });
    const { connection, request, frames } = bench;
    request(1);
    connection.drain(5);
    request(2);
    const { id, code, sent, retryable } = frames().at(-1);
    assertEquals([id, code, sent, retryable], [2, "draining", "no", true]);
  }
});

Deno.test("the end of a drain's grace fails what is in flight, by how far it has come, and closes", async () => {
  for (const method of ["GET", "POST"]) {
    const bench = createBench();
    const { connection, request, run, frames } = bench;
    request(1, { method });
    connection.drain(5);
    connection.endGrace();
    await run(0).done;
    const { id, code, sent, retryable, message } = frames().at(-1);
    assertEquals([id, code, sent, retryable], [1, "draining", "maybe", method === "GET"]);
    assertEquals(
      message,
      "The server is going away and has ended this exchange; open a new connection",
    );
    assertEquals(closesOf(bench), [1001]);
  }
});

Deno.test("the end of a drain's grace closes an idle connection at once, though its client has not read all", () => {
  const bench = createBench();
  bench.webSocket.buffered = 1;
  bench.connection.drain(5);
  bench.connection.endGrace();
  assertEquals(closesOf(bench), [1001]);
});

Deno.test("the end of a drain's grace does not wait for a client that does not read", () => {
  const bench = createBench();
  const { connection, webSocket, request, run } = bench;
  request(1);
  webSocket.buffered = 2;
  connection.drain(1);
  assertEquals(closesOf(bench), []);
  connection.endGrace();
  assertEquals([closesOf(bench), run(0).exchange.signal.aborted], [[1001], true]);
});

Deno.test("a credential that expires during a drain does not change how the connection ends", async () => {
  const bench = createBench({ identity: expiring(10) });
  const { connection, clock, request, run } = bench;
  request(1);
  connection.drain(60_000);
  clock.advance(1010);
  run(0).respond();
  await run(0).done;
  await settle();
  assertEquals(closesOf(bench), [1001]);
});

Deno.test("a drain ends a connection as going away whose credential has expired", async () => {
  const bench = createBench({ identity: expiring(10), authenticator: authenticated(ALICE) });
  const { connection, clock, request, receive, run } = bench;
  request(1);
  clock.advance(1010);
  connection.drain(60_000);
  receive({ type: "auth", token: "t" }); // keeps it from expiring, not from draining
  await settle();
  run(0).respond();
  await run(0).done;
  await settle();
  assertEquals(closesOf(bench), [1001]);
});

import { assert, assertEquals, assertRejects, assertStrictEquals, fail } from "@std/assert";
import type { Authenticator, Identity } from "../../src/auth/authenticator.ts";
import { createClientAddress } from "../../src/auth/client_address.ts";
import { createOriginCheck } from "../../src/auth/origin.ts";
import { createLimiter, type Limiter, type LimitExceeded } from "../../src/limits/limiter.ts";
import { createConnectionPlaces } from "../../src/limits/connection_places.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { type Admitted, createGate, type Gate, type GateDeps } from "../../src/server/gate.ts";
import type { Refusal } from "../../src/server/refusal.ts";
import type { TelemetryEvent } from "../../src/telemetry/telemetry.ts";
import { NO_LIMITS } from "../helpers/limits.ts";
import { HANDSHAKE } from "../helpers/raw_client.ts";
import { createAmpleBudget } from "../helpers/memory.ts";

const CHALLENGE = 'Bearer realm="wsfetch"';
const ALICE: Identity = { subject: "alice", expiresAt: 1 };
const ADDRESS = "192.0.2.1";
const TOKEN = "the-secret-token";

/** A limiter of connections, which needs no store. */
function limitConnections(maxConnections: number): Limiter {
  return createLimiter(
    { ...NO_LIMITS, maxConnections },
    () => fail("no store is needed"),
  );
}

/** A limiter that has no place, and says how long to wait. */
function full(retryAfterMs: number): Limiter {
  const breach: LimitExceeded = { limit: "connections", max: 1, retryAfterMs, message: "Wait" };
  return { ...limitConnections(0), admitConnection: () => breach };
}

/** Knows each token as the subject of its own name. */
const byName: Authenticator = { authenticate: (token) => Promise.resolve({ subject: token }) };

function throwing(error: unknown): Authenticator {
  return { authenticate: () => Promise.reject(error) };
}

function gate(deps: Partial<GateDeps> = {}): Gate {
  return createGate({
    isOriginAllowed: createOriginCheck({ allowedOrigins: [], listenHost: "127.0.0.1" }),
    toClientAddress: createClientAddress({ trustProxy: 1 }),
    authenticator: undefined,
    limiter: limitConnections(0),
    places: createConnectionPlaces(1),
    memory: createAmpleBudget(),
    isDraining: () => false,
    telemetry: { wantsAllowedHops: false, emit: () => {} },
    ...deps,
  });
}

function bearer(token: string): Headers {
  return new Headers({ authorization: `Bearer ${token}` });
}

function assertAdmitted(decision: Admitted | Refusal): Admitted {
  if ("code" in decision) throw new Error(`The client is refused: ${decision.code}`);
  return decision;
}

function assertRefused(decision: Admitted | Refusal): Refusal {
  if ("lease" in decision) throw new Error("The client is admitted");
  return decision;
}

const MISSING: Refusal = {
  code: "unauthorized",
  message:
    'A credential is required; send it as "Authorization: Bearer" and the token or, from a ' +
    'browser, as a subprotocol of "bearer." and the token in base64url',
  headers: { "www-authenticate": CHALLENGE },
};

interface Case {
  readonly name: string;
  readonly headers?: Headers;
  readonly deps: Partial<GateDeps>;
  readonly expected: Refusal;
}

const REFUSALS: readonly Case[] = [
  {
    name: "a handshake without a credential, where clients need one",
    deps: { authenticator: byName },
    expected: MISSING,
  },
  {
    name: "another scheme than bearer, as no credential",
    headers: new Headers({ authorization: "Basic YTpi" }),
    deps: { authenticator: byName },
    expected: MISSING,
  },
  {
    name: "a malformed credential, without asking the authenticator",
    headers: new Headers({ authorization: `Bearer ${TOKEN} ${TOKEN}` }),
    deps: { authenticator: { authenticate: () => fail("the authenticator is not to be asked") } },
    expected: {
      code: "bad_handshake",
      message: '"Authorization" must be "Bearer", a space and one token (RFC 6750 §2.1)',
    },
  },
  {
    name: "a credential that is not valid",
    headers: bearer(TOKEN),
    deps: { authenticator: throwing(new ProxyError("unauthorized", "It has expired")) },
    expected: {
      code: "unauthorized",
      message: "It has expired",
      headers: { "www-authenticate": `${CHALLENGE}, error="invalid_token"` },
    },
  },
  {
    name: "a credential that cannot be checked now",
    headers: bearer(TOKEN),
    deps: {
      authenticator: throwing(
        new ProxyError("unauthorized", "Try later", { retryable: true, retryAfterMs: 4200 }),
      ),
    },
    expected: {
      code: "authentication_unavailable",
      message: "Try later",
      headers: { "retry-after": "5" },
    },
  },
  {
    name: "a credential that cannot be checked for an unknown time",
    headers: bearer(TOKEN),
    deps: {
      authenticator: throwing(new ProxyError("unauthorized", "Try later", { retryable: true })),
    },
    expected: {
      code: "authentication_unavailable",
      message: "Try later",
      headers: { "retry-after": "1" },
    },
  },
  {
    name: "a client whose identity has as many connections as it may",
    headers: bearer(TOKEN),
    deps: { authenticator: byName, limiter: full(1000) },
    expected: { code: "rate_limited", message: "Wait", headers: { "retry-after": "1" } },
  },
];

for (const { name, headers = new Headers(), deps, expected } of REFUSALS) {
  Deno.test(`admit() refuses ${name}`, async () => {
    const refusal = assertRefused(await gate(deps).admit(headers, ADDRESS));
    assertEquals(refusal, expected);
    assert(!JSON.stringify(refusal).includes(TOKEN), "a refusal contains no token");
  });
}

Deno.test("admit() admits the client of a valid credential, with its identity as the key", async () => {
  const authenticate = (token: string): Promise<Identity> =>
    token === TOKEN ? Promise.resolve(ALICE) : fail("another token was read");
  const { admit } = gate({ authenticator: { authenticate } });
  const { identity, key } = assertAdmitted(await admit(bearer(TOKEN), ADDRESS));
  assertStrictEquals(identity, ALICE);
  assertEquals(key, "identity:alice");
});

const ADDRESSES = [
  { name: "an address", client: ADDRESS, key: `address:${ADDRESS}` },
  { name: "the network of an IPv6 address", client: "2001:db8::9", key: "address:2001:db8::/64" },
  { name: "text that is not an address", client: "unix", key: "address:unix" },
];

for (const { name, client, key } of ADDRESSES) {
  Deno.test(`admit() has ${name} as the key where clients need no credential`, async () => {
    const malformed = new Headers({ authorization: "Bearer" });
    for (const headers of [new Headers(), bearer(TOKEN), malformed]) {
      const admitted = assertAdmitted(await gate().admit(headers, client));
      assertEquals([admitted.identity, admitted.key], [undefined, key]);
    }
  });
}

Deno.test("admit() keeps an identity apart from an address of the same text", async () => {
  const limiter = limitConnections(1);
  const asAddress = gate({ limiter });
  const asIdentity = gate({ limiter, authenticator: byName });
  const other = { authenticate: () => Promise.resolve({ subject: `address:${ADDRESS}` }) };
  const asOther = gate({ limiter, authenticator: other });
  const keys = [
    await asAddress.admit(new Headers(), ADDRESS),
    await asIdentity.admit(bearer(ADDRESS), ADDRESS),
    await asOther.admit(bearer(TOKEN), ADDRESS),
  ].map((decision) => assertAdmitted(decision).key);
  assertEquals(new Set(keys).size, keys.length);
});

Deno.test("admit() takes a place, which its lease gives back once", async () => {
  const { admit } = gate({ limiter: limitConnections(2), authenticator: byName });
  const first = assertAdmitted(await admit(bearer("alice"), ADDRESS));
  assertAdmitted(await admit(bearer("alice"), "192.0.2.2"));
  assertEquals(assertRefused(await admit(bearer("alice"), ADDRESS)).code, "rate_limited");
  assertAdmitted(await admit(bearer("bob"), ADDRESS));

  first.lease[Symbol.dispose]();
  first.lease[Symbol.dispose]();
  assertAdmitted(await admit(bearer("alice"), ADDRESS));
  assertEquals(assertRefused(await admit(bearer("alice"), ADDRESS)).code, "rate_limited");
});

Deno.test("admit() takes no place for a client that it refuses", async () => {
  const limiter: Limiter = {
    ...limitConnections(1),
    admitConnection: () => fail("no place is to be taken"),
  };
  const refused = throwing(new ProxyError("unauthorized", "It has expired"));
  for (const headers of [new Headers(), bearer(TOKEN), new Headers({ authorization: "Bearer" })]) {
    assertRefused(await gate({ limiter, authenticator: refused }).admit(headers, ADDRESS));
  }
});

const ROUNDINGS = [
  { name: "nothing", retryAfterMs: 0, expected: "1" },
  { name: "a millisecond", retryAfterMs: 1, expected: "1" },
  { name: "a whole second", retryAfterMs: 1000, expected: "1" },
  { name: "a little more", retryAfterMs: 1001, expected: "2" },
  { name: "a minute, almost", retryAfterMs: 59_999.5, expected: "60" },
];

for (const { name, retryAfterMs, expected } of ROUNDINGS) {
  Deno.test(`admit() says ${name} as ${expected} whole seconds or more`, async () => {
    const { admit } = gate({ limiter: full(retryAfterMs) });
    const { headers } = assertRefused(await admit(new Headers(), ADDRESS));
    assertEquals(headers, { "retry-after": expected });
  });
}

const UNEXPECTED = [
  { name: "a bug of an authenticator", error: new TypeError("x is not a function") },
  { name: "an error of another code", error: new ProxyError("proxy_internal_error", "Failed") },
];

for (const { name, error } of UNEXPECTED) {
  Deno.test(`admit() rejects with ${name}, and takes no place`, async () => {
    const limiter = limitConnections(1);
    const { admit } = gate({ limiter, authenticator: throwing(error) });
    assertStrictEquals(await assertRejects(() => admit(bearer("alice"), ADDRESS)), error);
    const other = gate({ limiter, authenticator: byName });
    assertAdmitted(await other.admit(bearer("alice"), ADDRESS));
  });
}

function noPlaces(): Partial<GateDeps> {
  return { places: createConnectionPlaces(0) };
}

/** What a gate finds; the first of several reasons. */
const FINDINGS: readonly {
  readonly name: string;
  readonly headers?: Record<string, string>;
  readonly deps?: Partial<GateDeps>;
  readonly handshake: string | undefined;
  readonly question: string | undefined;
}[] = [
  { name: "a valid handshake", headers: HANDSHAKE, handshake: undefined, question: undefined },
  { name: "another request", handshake: "upgrade_required", question: undefined },
  {
    name: "a foreign page",
    headers: { ...HANDSHAKE, origin: "https://evil.test" },
    deps: { ...noPlaces(), isDraining: () => true },
    handshake: "origin_not_allowed",
    question: "origin_not_allowed",
  },
  {
    name: "a drain",
    headers: HANDSHAKE,
    deps: { ...noPlaces(), isDraining: () => true },
    handshake: "draining",
    question: "draining",
  },
  {
    name: "no place left",
    headers: HANDSHAKE,
    deps: noPlaces(),
    handshake: "too_many_connections",
    question: "too_many_connections",
  },
];

for (const { name, headers = {}, deps, handshake, question } of FINDINGS) {
  Deno.test(`findRefusal() decides on ${name}, for a handshake and for a question about one`, () => {
    const request = new Request("http://127.0.0.1/ws", { headers });
    const { findRefusal } = gate(deps);
    const found = [true, false].map((isHandshake) => findRefusal(request, isHandshake));
    assertEquals(found.map((refusal) => refusal?.code), [handshake, question]);
    if (handshake === question) assertEquals(found[0], found[1], "both get the same refusal");
  });
}

Deno.test("takePlace() takes places until there are none, or the service drains", () => {
  let isDraining = false;
  const { takePlace } = gate({ places: createConnectionPlaces(1), isDraining: () => isDraining });
  const place = takePlace();
  if ("code" in place) throw new Error(`No place is left: ${place.code}`);
  assertEquals(takePlace(), {
    code: "too_many_connections",
    message: "The service has 1 connections, its limit; try again later",
    headers: { "retry-after": "5" },
  });
  place[Symbol.dispose]();
  isDraining = true;
  const refusal = takePlace();
  assertEquals("code" in refusal && refusal.code, "draining");
});

Deno.test("refuse() reports the refusal and responds with it", async () => {
  const events: TelemetryEvent[] = [];
  const { refuse } = gate({
    telemetry: { wantsAllowedHops: false, emit: (event) => events.push(event) },
  });
  const refusal: Refusal = {
    code: "rate_limited",
    message: "Wait",
    headers: { "retry-after": "7", "x-own": "refusal" },
  };
  const response = refuse(refusal, ADDRESS, { "x-own": "given", "x-other": "given" });
  assertEquals(response.status, 429);
  assertEquals(await response.json(), { error: { code: "rate_limited", message: "Wait" } });
  const fields = ["retry-after", "x-own", "x-other"].map((name) => response.headers.get(name));
  assertEquals(fields, ["7", "refusal", "given"]);
  const { code, message: reason } = refusal;
  assertEquals(events, [{ type: "refused", client: ADDRESS, status: 429, code, reason }]);
});

const ADDRESSED: readonly {
  name: string;
  headers: HeadersInit;
  remote: Deno.Addr;
  expected: string;
}[] = [
  {
    name: "the address of the TCP connection",
    headers: {},
    remote: { transport: "tcp", hostname: ADDRESS, port: 1 },
    expected: ADDRESS,
  },
  {
    name: "the address that a trusted proxy adds",
    headers: { "x-forwarded-for": "203.0.113.1, 203.0.113.2" },
    remote: { transport: "tcp", hostname: ADDRESS, port: 1 },
    expected: "203.0.113.2",
  },
  {
    name: "the transport of a connection without an address",
    headers: {},
    remote: { transport: "unix", path: "/run/wsfetch" },
    expected: "unix",
  },
];

for (const { name, headers, remote, expected } of ADDRESSED) {
  Deno.test(`addressOf() returns ${name}`, () => {
    const info = { remoteAddr: remote, completed: Promise.resolve() };
    assertEquals(gate().addressOf(new Request("http://127.0.0.1/ws", { headers }), info), expected);
  });
}

Deno.test("src/server has each text of a refusal once, so that no second gate stands beside the first", async () => {
  const folder = new URL("../../src/server/", import.meta.url);
  let code = "";
  for await (const { name } of Deno.readDir(folder)) {
    code += await Deno.readTextFile(new URL(name, folder));
  }
  const decisions = [
    gate({ isDraining: () => true }).takePlace(),
    gate(noPlaces()).takePlace(),
    await gate({ authenticator: byName }).admit(new Headers(), ADDRESS),
    ...FINDINGS.map(({ headers = {}, deps }) =>
      gate(deps).findRefusal(new Request("http://127.0.0.1/ws", { headers }), true)
    ),
  ];
  const refusals = decisions.flatMap((each) => each !== undefined && "code" in each ? [each] : []);
  for (const { message } of refusals) {
    // The code may split a text into several literals, and put a number into it.
    const [start = ""] = message.split(/["\d]/);
    const count = code.split(start.slice(0, 40)).length - 1;
    assertEquals(count, 1, message);
  }
  assert(refusals.length >= 6);
  const codes = ["origin_not_allowed", "draining", "too_many_connections", "rate_limited"];
  const counts = codes.map((each) => code.split(`code: "${each}"`).length - 1);
  assertEquals(counts, codes.map(() => 1));
});

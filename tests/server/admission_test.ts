import { assert, assertEquals, assertRejects, assertStrictEquals, fail } from "@std/assert";
import type { Authenticator, Identity } from "../../src/auth/authenticator.ts";
import { toAddressKey } from "../../src/auth/client_address.ts";
import { type PresentedCredential, readCredential } from "../../src/auth/credential.ts";
import { createLimiter, type Limiter, type LimitExceeded } from "../../src/limits/limiter.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import {
  type AdmissionDeps,
  type Admit,
  type Admitted,
  createAdmission,
} from "../../src/server/admission.ts";
import type { Refusal } from "../../src/server/responses.ts";
import { NO_LIMITS } from "../helpers/limits.ts";

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
  const exceeded: LimitExceeded = { limit: "connections", max: 1, retryAfterMs, message: "Wait" };
  return { ...limitConnections(0), admitConnection: () => exceeded };
}

/** Knows each token as the subject of its own name. */
const byName: Authenticator = { authenticate: (token) => Promise.resolve({ subject: token }) };

function throwing(error: unknown): Authenticator {
  return { authenticate: () => Promise.reject(error) };
}

function admission(deps: Partial<AdmissionDeps> = {}): Admit {
  return createAdmission({
    authenticator: undefined,
    readCredential,
    toAddressKey,
    limiter: limitConnections(0),
    ...deps,
  });
}

function bearer(token: string): Headers {
  return new Headers({ authorization: `Bearer ${token}` });
}

function assertAdmitted(decision: Admitted | Refusal): Admitted {
  if ("code" in decision) throw new Error(`It is refused: ${decision.code}`);
  return decision;
}

function assertRefused(decision: Admitted | Refusal): Refusal {
  if ("lease" in decision) throw new Error("It is admitted");
  return decision;
}

interface Case {
  readonly name: string;
  readonly headers?: Headers;
  readonly deps: Partial<AdmissionDeps>;
  readonly expected: Refusal;
}

const REFUSALS: readonly Case[] = [
  {
    name: "a handshake without a credential, where one is asked for",
    deps: { authenticator: byName },
    expected: {
      code: "unauthorized",
      message: "A credential is needed; send it as Authorization: Bearer, or, from a browser, " +
        'as a subprotocol "bearer." and the token in base64url',
      headers: { "www-authenticate": CHALLENGE },
    },
  },
  {
    name: "another scheme than bearer, as no credential",
    headers: new Headers({ authorization: "Basic YTpi" }),
    deps: {
      authenticator: byName,
      readCredential: (headers) =>
        headers.get("authorization") === "Basic YTpi" ? { type: "none" } : fail("other headers"),
    },
    expected: {
      code: "unauthorized",
      message: "A credential is needed; send it as Authorization: Bearer, or, from a browser, " +
        'as a subprotocol "bearer." and the token in base64url',
      headers: { "www-authenticate": CHALLENGE },
    },
  },
  {
    name: "a malformed credential, which nobody is asked about",
    headers: bearer(TOKEN),
    deps: {
      authenticator: { authenticate: () => fail("nobody is to be asked") },
      readCredential: (): PresentedCredential => ({ type: "malformed", message: "Send it once" }),
    },
    expected: { code: "bad_handshake", message: "Send it once" },
  },
  {
    name: "a credential that does not count",
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
    name: "a credential that cannot be checked now, nobody knows for how long",
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
    name: "a client that holds as many connections as it may",
    headers: bearer(TOKEN),
    deps: { authenticator: byName, limiter: full(1000) },
    expected: { code: "rate_limited", message: "Wait", headers: { "retry-after": "1" } },
  },
];

for (const { name, headers = new Headers(), deps, expected } of REFUSALS) {
  Deno.test(`createAdmission() refuses ${name}`, async () => {
    const refusal = assertRefused(await admission(deps)(headers, ADDRESS));
    assertEquals(refusal, expected);
    assert(!JSON.stringify(refusal).includes(TOKEN), "a refusal tells no token");
  });
}

Deno.test("createAdmission() admits whom a credential names, counted by the identity", async () => {
  const authenticate = (token: string): Promise<Identity> =>
    token === TOKEN ? Promise.resolve(ALICE) : fail("another token was read");
  const admit = admission({ authenticator: { authenticate } });
  const { identity, key } = assertAdmitted(await admit(bearer(TOKEN), ADDRESS));
  assertStrictEquals(identity, ALICE);
  assertEquals(key, "identity:alice");
});

const ADDRESSES = [
  { name: "an address", client: ADDRESS, key: `address:${ADDRESS}` },
  { name: "the network of an IPv6 address", client: "2001:db8::9", key: "address:2001:db8::/64" },
  { name: "what is no address", client: "unix", key: "address:unix" },
];

for (const { name, client, key } of ADDRESSES) {
  Deno.test(`createAdmission() counts by ${name} where nobody is authenticated`, async () => {
    const readCredential = (): PresentedCredential => fail("no credential is asked for");
    const admitted = assertAdmitted(await admission({ readCredential })(bearer(TOKEN), client));
    assertEquals([admitted.identity, admitted.key], [undefined, key]);
  });
}

Deno.test("createAdmission() keeps an identity apart from the address that it is called like", async () => {
  const limiter = limitConnections(1);
  const asAddress = admission({ limiter });
  const asIdentity = admission({ limiter, authenticator: byName });
  const other = { authenticate: () => Promise.resolve({ subject: `address:${ADDRESS}` }) };
  const asOther = admission({ limiter, authenticator: other });
  const keys = [
    await asAddress(new Headers(), ADDRESS),
    await asIdentity(bearer(ADDRESS), ADDRESS),
    await asOther(bearer(TOKEN), ADDRESS),
  ].map((decision) => assertAdmitted(decision).key);
  assertEquals(new Set(keys).size, keys.length);
});

Deno.test("createAdmission() takes a place, which its lease gives back once", async () => {
  const admit = admission({ limiter: limitConnections(2), authenticator: byName });
  const first = assertAdmitted(await admit(bearer("alice"), ADDRESS));
  assertAdmitted(await admit(bearer("alice"), "192.0.2.2"));
  assertEquals(assertRefused(await admit(bearer("alice"), ADDRESS)).code, "rate_limited");
  assertAdmitted(await admit(bearer("bob"), ADDRESS));

  first.lease[Symbol.dispose]();
  first.lease[Symbol.dispose]();
  assertAdmitted(await admit(bearer("alice"), ADDRESS));
  assertEquals(assertRefused(await admit(bearer("alice"), ADDRESS)).code, "rate_limited");
});

Deno.test("createAdmission() takes no place for whom it refuses", async () => {
  const limiter: Limiter = {
    ...limitConnections(1),
    admitConnection: () => fail("no place is to be taken"),
  };
  const refused = throwing(new ProxyError("unauthorized", "It has expired"));
  for (const headers of [new Headers(), bearer(TOKEN), new Headers({ authorization: "Bearer" })]) {
    assertRefused(await admission({ limiter, authenticator: refused })(headers, ADDRESS));
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
  Deno.test(`createAdmission() says ${name} as ${expected} whole seconds or more`, async () => {
    const admit = admission({ limiter: full(retryAfterMs) });
    const { headers } = assertRefused(await admit(new Headers(), ADDRESS));
    assertEquals(headers, { "retry-after": expected });
  });
}

const UNEXPECTED = [
  { name: "a bug of an authenticator", error: new TypeError("x is not a function") },
  { name: "an error of another code", error: new ProxyError("proxy_internal_error", "Failed") },
];

for (const { name, error } of UNEXPECTED) {
  Deno.test(`createAdmission() rejects with ${name}, and takes no place`, async () => {
    const limiter = limitConnections(1);
    const admit = admission({ limiter, authenticator: throwing(error) });
    assertStrictEquals(await assertRejects(() => admit(bearer("alice"), ADDRESS)), error);
    assertAdmitted(await admission({ limiter, authenticator: byName })(bearer("alice"), ADDRESS));
  });
}

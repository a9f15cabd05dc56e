import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { Authenticator, Identity } from "../../src/auth/authenticator.ts";
import { ConnectionCredential, describeIdentity } from "../../src/connection/credential.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";

const START = Date.UTC(2026, 5, 1);
const ALICE: Identity = { subject: "alice" };

interface Bench {
  readonly credential: ConnectionCredential;
  readonly clock: FakeClock;
  /** What the listener was told, with the time since the start. */
  readonly told: readonly string[];
}

/** A credential with a grace of 1000 ms, and 500 ms to finish. */
function createBench(
  identity: Identity | undefined,
  authenticator: Authenticator | undefined = { authenticate: () => Promise.resolve(ALICE) },
  onExpired: (credential: ConnectionCredential) => void = () => {},
): Bench {
  const clock = createFakeClock(START);
  const told: string[] = [];
  const options = { authenticator, authGraceMs: 1000, finishMs: 500, clock };
  const credential = new ConnectionCredential(identity, options, {
    renewalTimeOver(): void {
      told.push(`expired at ${clock.now()}`);
      onExpired(credential);
    },
    finishTimeOver: () => void told.push(`overdue at ${clock.now()}`),
  });
  return { credential, clock, told };
}

const expiring = (ms: number): Identity => ({ ...ALICE, expiresAt: START + ms });

Deno.test("a credential is valid until the millisecond that it expires in", () => {
  const { credential, clock } = createBench(expiring(10));
  clock.advance(9);
  assertEquals(credential.findRefusal(), undefined);
  clock.advance(1);
  const { code, sent, retryable, message } = credential.findRefusal() ?? {};
  assertEquals([code, sent, retryable], ["unauthorized", "no", false]);
  assertEquals(message?.includes("has expired"), true);
});

Deno.test("a credential that never expires is always valid and sets no timer", () => {
  for (const identity of [ALICE, undefined]) {
    const { credential, clock, told } = createBench(identity);
    assertEquals(clock.delays, []);
    clock.advance(1e12);
    assertEquals([credential.findRefusal(), told], [undefined, []]);
  }
});

Deno.test("a listener is told when the grace is over, and again when the exchanges have taken too long", () => {
  const { clock, told } = createBench(expiring(10));
  clock.advance(1009);
  assertEquals(told, []);
  clock.advance(1e9);
  assertEquals([told, clock.delays], [["expired at 1010", "overdue at 1510"], []]);
});

Deno.test("a listener is told at once of a credential whose grace was over from the start", () => {
  const { clock, told } = createBench(expiring(-2000));
  clock.advance(0);
  assertEquals(told, ["expired at 0", "overdue at 0"]);
});

Deno.test("a listener is not told of a credential whose connection has ended, whenever that was", () => {
  for (const endsAt of [0, 5, 1200]) {
    const { credential, clock, told } = createBench(expiring(10));
    clock.advance(endsAt);
    credential.close();
    assertEquals(clock.delays, []);
    clock.advance(1e9);
    assertEquals(told, endsAt > 1010 ? ["expired at 1010"] : []);
  }
  const { clock, told } = createBench(expiring(10), undefined, (credential) => credential.close());
  clock.advance(1e9);
  assertEquals(told, ["expired at 1010"], "closed because it has expired");
});

Deno.test("renew() puts another credential of the identity in place, which may expire later, earlier or never", async () => {
  for (const identity of [expiring(1000), expiring(50), ALICE]) {
    const tokens: string[] = [];
    const authenticate = (token: string): Promise<Identity> => {
      tokens.push(token);
      return Promise.resolve(identity);
    };
    const { credential, clock, told } = createBench(expiring(100), { authenticate });
    assertStrictEquals(await credential.renew("token"), identity);
    assertEquals(tokens, ["token"]);
    clock.advance(1e9);
    const at = identity.expiresAt === undefined ? undefined : identity.expiresAt - START + 1000;
    assertEquals(told, at === undefined ? [] : [`expired at ${at}`, `overdue at ${at + 500}`]);
  }
});

for (const at of [10, 500, 1200]) {
  Deno.test(`renew() makes a credential valid again ${at} ms after it has expired`, async () => {
    const authenticate = (): Promise<Identity> => Promise.resolve(expiring(10_000));
    const { credential, clock, told } = createBench(expiring(0), { authenticate });
    clock.advance(at);
    assertEquals(credential.findRefusal()?.code, "unauthorized");
    await credential.renew("token");
    assertEquals(credential.findRefusal(), undefined);
    clock.advance(5000);
    assertEquals(told, at > 1000 ? ["expired at 1000"] : [], "its exchanges are not overdue");
    clock.advance(10_000);
    assertEquals(told.slice(-2), ["expired at 11000", "overdue at 11500"]);
  });
}

Deno.test("renew() sets no timer for a connection that has ended meanwhile", async () => {
  const { promise, resolve } = Promise.withResolvers<Identity>();
  const { credential, clock } = createBench(expiring(100), { authenticate: () => promise });
  const renewing = credential.renew("late");
  credential.close();
  resolve(expiring(1000));
  await renewing;
  assertEquals(clock.delays, []);
});

Deno.test("renew() throws unauthorized for another identity, and the credential before stays", async () => {
  const BOB = { subject: "bob" };
  const cases: readonly [Identity | undefined, Authenticator | undefined][] = [
    [expiring(100), { authenticate: () => Promise.resolve({ ...BOB, expiresAt: START + 1e9 }) }],
    [undefined, { authenticate: () => Promise.resolve(BOB) }],
  ];
  for (const [identity, authenticator] of cases) {
    const { credential, clock } = createBench(identity, authenticator);
    const error = await assertRejects(() => credential.renew("bob's"), ProxyError);
    assertEquals([error.code, error.retryable], ["unauthorized", false]);
    clock.advance(100);
    assertEquals(credential.findRefusal()?.code, identity && "unauthorized");
  }
});

Deno.test("renew() takes any credential where clients are not authenticated", async () => {
  const { credential, clock } = createBench(undefined);
  const open = new ConnectionCredential(undefined, {
    authenticator: undefined,
    authGraceMs: 1,
    finishMs: 1,
    clock,
  }, { renewalTimeOver: () => {}, finishTimeOver: () => {} });
  assertEquals(await open.renew("any"), undefined);
  assertEquals(open.findRefusal(), undefined);
  credential.close();
});

Deno.test("renew() throws what the authenticator throws", async () => {
  const reason = new ProxyError("unauthorized", "The keys cannot be fetched", { retryable: true });
  const authenticate = (): Promise<never> => Promise.reject(reason);
  const { credential } = createBench(ALICE, { authenticate });
  for (let times = 0; times < 2; times++) {
    assertStrictEquals(await assertRejects(() => credential.renew("token")), reason);
  }
});

Deno.test("renew() checks one credential at a time", async () => {
  const checks: PromiseWithResolvers<Identity>[] = [];
  const authenticate = (): Promise<Identity> => {
    const check = Promise.withResolvers<Identity>();
    checks.push(check);
    return check.promise;
  };
  const { credential } = createBench(ALICE, { authenticate });
  const first = credential.renew("first");
  const { code, retryable } = await assertRejects(() => credential.renew("second"), ProxyError);
  assertEquals([code, retryable, checks.length], ["unauthorized", true, 1]);
  checks[0]?.resolve(ALICE);
  await first;
  const third = credential.renew("third");
  checks[1]?.resolve(ALICE);
  await third;
});

Deno.test("describeIdentity() returns who a client is, and null for what there is not", () => {
  const expiresAt = Date.UTC(2026, 10, 23, 18);
  assertEquals(describeIdentity({ subject: "alice", expiresAt }), {
    identity: "alice",
    expiresAt: "2026-11-23T18:00:00.000Z",
  });
  assertEquals(describeIdentity(ALICE), { identity: "alice", expiresAt: null });
  assertEquals(describeIdentity(undefined), { identity: null, expiresAt: null });
  assertEquals(
    describeIdentity({ subject: "a", expiresAt: 0 }).expiresAt,
    "1970-01-01T00:00:00.000Z",
  );
});

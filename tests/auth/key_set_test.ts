/**
 * When keys are fetched, and which keys are used meanwhile.
 */
import { assertEquals } from "@std/assert";
import type { Identity } from "../../src/auth/authenticator.ts";
import type { JwtOptions } from "../../src/auth/jwt.ts";
import type { Cancel, Clock } from "../../src/clock.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { type JwksServer, startJwks } from "../helpers/jwks.ts";
import {
  type Authenticate,
  authenticator,
  encode,
  INVALID,
  NOW_SECONDS,
  refusal,
  tamper,
  UNCHECKED,
} from "./jwt_cases.ts";

// Later than the end of every test.
const EXP = NOW_SECONDS + 7 * 86_400;
const ALICE: Identity = { subject: "alice", expiresAt: EXP * 1000 };
const RELOAD_MS = 1000;
const SANITIZED = { sanitizeOps: true, sanitizeResources: true }; // no timer and no body is left
const MAX_AGE_MS = 600_000;
const MAX_STALE_MS = 86_400_000;

/** A clock that records its waits. */
interface RecordingClock {
  readonly clock: Clock;
  /** All waits so far, in milliseconds. */
  readonly waits: readonly number[];
  /** Fulfils when there have been so many waits. */
  readonly waited: (count: number) => Promise<void>;
  readonly advance: (ms: number) => void;
}

function createRecordingClock(): RecordingClock {
  const clock = createFakeClock(NOW_SECONDS * 1000);
  const waits: number[] = [];
  const watchers: { readonly count: number; resolve(): void }[] = [];
  return {
    clock: {
      ...clock,
      after(delayMs, action): Cancel {
        waits.push(delayMs);
        for (const { count, resolve } of watchers) if (waits.length >= count) resolve();
        return clock.after(delayMs, action);
      },
    },
    waits,
    waited(count): Promise<void> {
      if (waits.length >= count) return Promise.resolve();
      return new Promise((resolve) => watchers.push({ count, resolve }));
    },
    advance: clock.advance,
  };
}

/** Counts the fetches that fail. */
function createFailures(): { onKeysFailed: () => void; failed: (count: number) => Promise<void> } {
  let total = 0;
  const watchers: { readonly count: number; resolve(): void }[] = [];
  return {
    onKeysFailed(): void {
      total++;
      for (const { count, resolve } of watchers) if (total >= count) resolve();
    },
    failed(count): Promise<void> {
      if (total >= count) return Promise.resolve();
      return new Promise((resolve) => watchers.push({ count, resolve }));
    },
  };
}

interface KeySetTest {
  readonly jwks: JwksServer;
  readonly clock: RecordingClock;
  readonly failed: (count: number) => Promise<void>;
  readonly authenticate: Authenticate;
  readonly sign: JwksServer["sign"];
  /** Signs a token that names a key that the server never had. */
  readonly signUnknown: (kid?: string) => Promise<string>;
}

/** Registers a test whose time is its own. */
function testKeys(
  name: string,
  run: (test: KeySetTest) => Promise<void>,
  options: Partial<JwtOptions> = {},
): void {
  Deno.test(`createJwtCheck() ${name}`, SANITIZED, async () => {
    await using jwks = await startJwks();
    const clock = createRecordingClock();
    const { onKeysFailed, failed } = createFailures();
    const deps = { clock: clock.clock, onKeysFailed };
    const authenticate = authenticator({ jwksUrl: jwks.url, ...options }, deps);
    const sign: JwksServer["sign"] = (claims, options) =>
      jwks.sign(typeof claims === "string" ? claims : { exp: EXP, ...claims }, options);
    const signUnknown = (kid = "unknown"): Promise<string> => sign({}, { kid });
    await run({ jwks, clock, failed, authenticate, sign, signUnknown });
  });
}

testKeys("fetches nothing before it needs a key", async ({ jwks, authenticate, sign }) => {
  jwks.answer("fail");
  const unsecured = `${encode({ alg: "none" })}.${encode({ sub: "alice", exp: EXP })}.`;
  const critical = await sign({}, { header: { crit: ["x"], x: 1 } });
  for (const token of ["garbage", "a.b.c", unsecured, critical]) {
    assertEquals(await refusal(authenticate, token), INVALID);
  }
  assertEquals(jwks.requests(), 0);
});

testKeys("fetches the keys once for all who come first", async (test) => {
  const { jwks, authenticate, sign } = test;
  jwks.answer("hang");
  const token = await sign();
  const asked = Array.from({ length: 20 }, () => authenticate(token));
  await jwks.requested(1);
  asked.push(authenticate(token));
  jwks.answer("keys");
  assertEquals(await Promise.all(asked), asked.map(() => ALICE));
  assertEquals(await authenticate(token), ALICE);
  assertEquals([jwks.requests(), test.clock.waits], [1, []]);
});

testKeys("lets 1,000 wait for the keys, and asks the next to try again", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  jwks.answer("hang");
  const token = await sign();
  const settled = Promise.allSettled(Array.from({ length: 1001 }, () => authenticate(token)));
  await jwks.requested(1);
  jwks.answer("keys");
  const results = await settled;
  assertEquals(results.findIndex(({ status }) => status === "rejected"), 1000);
  const reasons = results.flatMap((result) => result.status === "rejected" ? [result.reason] : []);
  assertEquals(reasons.map(({ message, retryable }) => [message, retryable]), [[UNCHECKED, true]]);
  // Those that have waited make room.
  clock.advance(RELOAD_MS);
  await jwks.rotate("key-2");
  assertEquals(await authenticate(await sign()), ALICE);
});

testKeys("refuses an unknown key that the first fetch lacks, without another", async (test) => {
  assertEquals(await refusal(test.authenticate, await test.signUnknown()), INVALID);
  assertEquals([test.jwks.requests(), test.clock.waits], [1, []]);
});

testKeys("accepts a new key after a rotation at once", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  const old = await sign();
  await authenticate(old);
  clock.advance(RELOAD_MS);
  await jwks.rotate("key-2");
  assertEquals(await authenticate(await sign()), ALICE);
  assertEquals([jwks.requests(), clock.waits], [2, []]);
  const refused = refusal(authenticate, old);
  await clock.waited(1);
  clock.advance(RELOAD_MS);
  assertEquals(await refused, INVALID);
});

testKeys("accepts a new key directly after a fetch, in the next one", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  await authenticate(await sign());
  clock.advance(RELOAD_MS / 4);
  await jwks.rotate("key-2");
  const asked = [authenticate(await sign()), authenticate(await sign({ sub: "bob" }))];
  await clock.waited(1);
  assertEquals([jwks.requests(), clock.waits], [1, [RELOAD_MS * 3 / 4]]);
  clock.advance(RELOAD_MS * 3 / 4);
  assertEquals((await Promise.all(asked)).map(({ subject }) => subject), ["alice", "bob"]);
  assertEquals([jwks.requests(), clock.waits.length], [2, 1]);
});

testKeys("fetches no more often when many unknown keys come", async (test) => {
  const { jwks, clock, authenticate, signUnknown } = test;
  const known = await test.sign();
  await authenticate(known);
  for (let round = 1; round <= 3; round++) {
    const kids = Array.from({ length: 30 }, (_, i) => `${round}-${i}`);
    const tokens = await Promise.all(kids.map(signUnknown));
    const refused = tokens.map((token) => refusal(authenticate, token));
    await clock.waited(round);
    clock.advance(RELOAD_MS - 1);
    assertEquals(await authenticate(known), ALICE);
    assertEquals(jwks.requests(), round);
    clock.advance(1);
    assertEquals(new Set(await Promise.all(refused)), new Set([INVALID]));
    assertEquals([jwks.requests(), clock.waits.length], [round + 1, round]);
  }
});

testKeys("does not take a fetch that began before the question for an answer", async (test) => {
  const { jwks, clock, authenticate, sign, signUnknown } = test;
  await authenticate(await sign());
  clock.advance(RELOAD_MS);
  jwks.answer("hang");
  const first = refusal(authenticate, await signUnknown());
  await jwks.requested(2);
  const second = refusal(authenticate, await signUnknown());
  jwks.answer("keys");
  assertEquals(await first, INVALID);
  await clock.waited(1);
  await jwks.addKey("unknown"); // too late for the second's token, whose signature is another key's
  const third = authenticate(await sign());
  clock.advance(RELOAD_MS);
  assertEquals([await second, await third], [INVALID, ALICE]);
  assertEquals(jwks.requests(), 3);
});

testKeys("accepts a new key without a name after a rotation", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  await authenticate(await sign({}, { header: { kid: undefined } }));
  clock.advance(RELOAD_MS);
  await jwks.rotate("key-2");
  assertEquals(await authenticate(await sign({}, { header: { kid: undefined } })), ALICE);
  assertEquals(jwks.requests(), 2);
});

testKeys("fetches old keys anew in the background, and then refuses one removed", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  const old = await sign();
  await authenticate(old);
  await jwks.rotate("key-2");
  clock.advance(MAX_AGE_MS - 1);
  await authenticate(old);
  assertEquals(jwks.requests(), 1);
  clock.advance(1);
  jwks.answer("hang");
  assertEquals(await authenticate(old), ALICE);
  await jwks.requested(2);
  assertEquals(await authenticate(old), ALICE);
  const fresh = authenticate(await sign());
  jwks.answer("keys");
  assertEquals(await fresh, ALICE); // the fetch has ended
  const refused = refusal(authenticate, old);
  await clock.waited(1);
  clock.advance(RELOAD_MS);
  assertEquals(await refused, INVALID);
  assertEquals(jwks.requests(), 3);
});

for (const answer of ["fail", "garbage"] as const) {
  testKeys(`goes on with known keys while the server answers "${answer}"`, async (test) => {
    const { jwks, clock, failed, authenticate, sign } = test;
    const token = await sign();
    await authenticate(token);
    jwks.answer(answer);
    clock.advance(MAX_AGE_MS);
    assertEquals(await authenticate(token), ALICE);
    await failed(1);
    clock.advance(RELOAD_MS - 1);
    assertEquals(await authenticate(token), ALICE);
    assertEquals(jwks.requests(), 2);
    clock.advance(MAX_STALE_MS - MAX_AGE_MS - RELOAD_MS);
    assertEquals(await authenticate(token), ALICE);
    await failed(2);
    assertEquals([jwks.requests(), clock.waits], [3, []]);
  });
}

testKeys("goes on with known keys when the server is gone, and not for ever", async (test) => {
  const { jwks, clock, failed, authenticate, sign } = test;
  const token = await sign();
  await authenticate(token);
  await jwks.close();
  clock.advance(MAX_AGE_MS);
  assertEquals(await authenticate(token), ALICE);
  await failed(1);
  clock.advance(MAX_STALE_MS - MAX_AGE_MS + 1);
  assertEquals(await refusal(authenticate, token), UNCHECKED);
});

testKeys("counts the age of keys from the beginning of their fetch", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  jwks.answer("hang");
  const token = await sign();
  const first = authenticate(token);
  await jwks.requested(1);
  clock.advance(RELOAD_MS);
  jwks.answer("keys");
  assertEquals(await first, ALICE);
  jwks.answer("fail");
  clock.advance(MAX_STALE_MS - RELOAD_MS + 1);
  assertEquals(await refusal(authenticate, token), UNCHECKED);
});

testKeys("takes keys that were too old again when the server is back", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  const token = await sign();
  await authenticate(token);
  jwks.answer("fail");
  clock.advance(MAX_STALE_MS + 1);
  assertEquals(await refusal(authenticate, token), UNCHECKED);
  jwks.answer("keys");
  clock.advance(RELOAD_MS);
  assertEquals(await authenticate(token), ALICE);
});

for (const answer of ["fail", "garbage"] as const) {
  testKeys(`says to try again when its first fetch meets "${answer}"`, async (test) => {
    const { jwks, clock, authenticate, sign } = test;
    jwks.answer(answer);
    const token = await sign();
    assertEquals(await refusal(authenticate, token), UNCHECKED);
    const again = authenticate(token);
    await clock.waited(1);
    assertEquals(jwks.requests(), 1);
    jwks.answer("keys");
    clock.advance(RELOAD_MS);
    assertEquals(await again, ALICE);
  });
}

testKeys("says to try again when there is no server", async ({ jwks, authenticate, sign }) => {
  await jwks.close();
  assertEquals(await refusal(authenticate, await sign()), UNCHECKED);
});

testKeys("says to try again when the server does not answer in time", async (test) => {
  test.jwks.answer("hang");
  assertEquals(await refusal(test.authenticate, await test.sign()), UNCHECKED);
}, { timeoutMs: 20 });

testKeys("says to try again for an unknown key while the server is down", async (test) => {
  const { jwks, clock, authenticate, sign, signUnknown } = test;
  const token = await sign();
  await authenticate(token);
  clock.advance(RELOAD_MS);
  jwks.answer("fail");
  assertEquals(await refusal(authenticate, await signUnknown()), UNCHECKED);
  assertEquals(await authenticate(token), ALICE);
});

testKeys(
  "refuses a bad signature by a known key for good while the server is down",
  async (test) => {
    const { jwks, clock, authenticate, sign } = test;
    const token = await sign();
    await authenticate(token);
    clock.advance(RELOAD_MS);
    jwks.answer("fail");
    const forged = tamper(token, 1, () => encode({ sub: "root", exp: EXP }));
    assertEquals(await refusal(authenticate, forged), INVALID);
    assertEquals(jwks.requests(), 1);
  },
);

import { assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import {
  createAuthenticator,
  type CredentialCheck,
  invalidCredential,
} from "../../src/auth/authenticator.ts";
import { createTokenCheck, parseTokenRule } from "../../src/auth/token.ts";
import { ProxyError } from "../../src/protocol/mod.ts";

const STATIC = createTokenCheck([parseTokenRule("alice:one")]);

/** A check that records its tokens, and returns this result. */
function countingCheck(
  result: ReturnType<CredentialCheck>,
): { check: CredentialCheck; tokens: string[] } {
  const tokens: string[] = [];
  return { check: (token) => (tokens.push(token), result), tokens };
}

Deno.test("authenticate() returns the identity of the first check that knows the token, and asks no other", async () => {
  const { check, tokens } = countingCheck({ subject: "bob" });
  const { authenticate } = createAuthenticator([STATIC, check]);
  assertEquals(await authenticate("one"), { subject: "alice" });
  assertEquals(tokens, []);
  assertEquals(await authenticate("two"), { subject: "bob" });
  assertEquals(tokens, ["two"]);
});

Deno.test("authenticate() returns the expiry of the identity", async () => {
  const identity = { subject: "bob", expiresAt: 1000 };
  const { check } = countingCheck(Promise.resolve(identity));
  assertEquals(await createAuthenticator([check]).authenticate("two"), identity);
});

Deno.test("authenticate() throws the error of a check, and asks no other", async () => {
  const refusal = new ProxyError("unauthorized", "Later", { retryable: true, retryAfterMs: 5 });
  const { check, tokens } = countingCheck({ subject: "bob" });
  const { authenticate } = createAuthenticator([() => Promise.reject(refusal), check]);
  assertStrictEquals(await assertRejects(() => authenticate("two")), refusal);
  assertEquals(tokens, []);
});

for (const checks of [[], [STATIC], [STATIC, () => Promise.resolve(undefined)]]) {
  Deno.test(`authenticate() refuses a token that none of ${checks.length} checks knows, and does not quote it`, async () => {
    const error = await assertRejects(
      () => createAuthenticator(checks).authenticate("s3cr3t"),
      ProxyError,
    );
    assertEquals([error.code, error.message], ["unauthorized", "The credential is not valid"]);
    assertEquals([error.retryable, error.retryAfterMs, error.sent], [false, undefined, "no"]);
    assertFalse(Deno.inspect(error).includes("s3cr3t"));
  });
}

Deno.test("authenticate() refuses a token that is too long before it asks a check", async () => {
  const { check, tokens } = countingCheck({ subject: "bob" });
  const { authenticate } = createAuthenticator([check]);
  const error = await assertRejects(() => authenticate("a".repeat(8193)), ProxyError);
  assertEquals(error.message, invalidCredential().message);
  assertEquals(tokens, []);
  assertEquals(await authenticate("a".repeat(8192)), { subject: "bob" });
});

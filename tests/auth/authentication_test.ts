import { assertEquals, assertRejects } from "@std/assert";
import { createAuthentication } from "../../src/auth/authentication.ts";
import { parseTokenRule } from "../../src/auth/token.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { startJwks } from "../helpers/jwks.ts";

const TOKENS = ["alice:token-of-alice", "bob:token-of-bob"].map(parseTokenRule);

function failed(error: unknown): never {
  throw error;
}

Deno.test("createAuthentication() returns nothing if clients need no credential", () => {
  assertEquals(createAuthentication({ tokens: [] }, failed), undefined);
});

Deno.test("createAuthentication() accepts static tokens, and no others", async () => {
  const authenticator = createAuthentication({ tokens: TOKENS }, failed);
  assertEquals(await authenticator?.authenticate("token-of-bob"), { subject: "bob" });
  await assertRejects(async () => await authenticator?.authenticate("other"), ProxyError);
});

Deno.test("createAuthentication() accepts static tokens and JWTs, but no JWT of a token's name", async () => {
  await using jwks = await startJwks();
  const authenticator = createAuthentication(
    { tokens: TOKENS, jwt: { jwksUrl: jwks.url } },
    failed,
  );
  assertEquals(await authenticator?.authenticate("token-of-alice"), { subject: "alice" });
  const carol = await authenticator?.authenticate(await jwks.sign({ sub: "carol" }));
  assertEquals(carol?.subject, "carol");
  const reserved = await jwks.sign({ sub: "alice" });
  await assertRejects(async () => await authenticator?.authenticate(reserved), ProxyError);
});

Deno.test("createAuthentication() reports a key set that cannot be fetched", async () => {
  await using jwks = await startJwks();
  jwks.answer("fail");
  const errors: unknown[] = [];
  const authenticator = createAuthentication(
    { tokens: [], jwt: { jwksUrl: jwks.url } },
    (error) => errors.push(error),
  );
  const token = await jwks.sign();
  await assertRejects(async () => await authenticator?.authenticate(token), ProxyError);
  assertEquals(errors.length, 1);
});

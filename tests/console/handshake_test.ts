import { assertEquals } from "@std/assert";
import { createHandshakeProbe } from "../../src/console/handshake.ts";

const OUTCOMES = [
  { name: "204", response: new Response(null, { status: 204 }), type: "admitted" },
  {
    name: "a refusal",
    response: Response.json({ error: { code: "rate_limited", message: "m" } }, { status: 429 }),
    type: "refused",
  },
  { name: "a proxy's 404", response: new Response("<h1>", { status: 404 }), type: "refused" },
  { name: "a proxy's 502", response: new Response("<h1>", { status: 502 }), type: "unreachable" },
  {
    name: "an unknown code",
    response: Response.json({ error: { code: "toString" } }, { status: 403 }),
    type: "refused",
  },
] as const;
for (const { name, response, type } of OUTCOMES) {
  Deno.test(`createHandshakeProbe() maps ${name} to ${type}`, async () => {
    const probe = createHandshakeProbe(() => Promise.resolve(response));
    assertEquals((await probe("token")).type, type);
  });
}

Deno.test("createHandshakeProbe() refuses a token that is not a valid header value", async () => {
  const probe = createHandshakeProbe(() => Promise.reject(new TypeError("unreachable")));
  const outcome = await probe("tök€n");
  assertEquals(outcome.type === "refused" && outcome.code, "bad_handshake");
  assertEquals((await probe("token")).type, "unreachable");
});

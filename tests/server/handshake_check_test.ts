import { assertEquals } from "@std/assert";
import { LOOPBACK, startService } from "../helpers/service.ts";

const TOKEN = "s3cr3t-token";
const AUTH = { ...LOOPBACK, AUTH_TOKENS: `alice:${TOKEN}` };

const CASES = [
  { name: "clients need no credential", settings: LOOPBACK, headers: {}, code: undefined },
  {
    name: "the credential is valid",
    settings: AUTH,
    headers: { authorization: `Bearer ${TOKEN}` },
    code: undefined,
  },
  { name: "there is no credential", settings: AUTH, headers: {}, code: "unauthorized" },
  {
    name: "the credential is not valid",
    settings: AUTH,
    headers: { authorization: "Bearer x" },
    code: "unauthorized",
  },
  {
    name: "the credential is malformed",
    settings: AUTH,
    headers: { authorization: "Bearer a b" },
    code: "bad_handshake",
  },
  {
    name: "the page is foreign",
    settings: LOOPBACK,
    headers: { origin: "https://evil.test" },
    code: "origin_not_allowed",
  },
  {
    name: "the foreign page is allowed",
    settings: { ...LOOPBACK, ALLOWED_ORIGINS: "https://app.test" },
    headers: { origin: "https://app.test" },
    code: undefined,
  },
] as const;
for (const { name, settings, headers, code } of CASES) {
  Deno.test(`POST /console/handshake responds with ${code ?? "204"} when ${name}`, async () => {
    await using service = startService(settings);
    const response = await fetch(`${service.origin}/console/handshake`, {
      method: "POST",
      headers,
    });
    const text = await response.text();
    assertEquals(text === "" ? undefined : JSON.parse(text).error.code, code);
    assertEquals(response.ok, code === undefined);
    assertEquals(response.headers.get("cache-control"), "no-store");
    // The log has the reason of each refusal.
    assertEquals(service.log.some(({ event }) => event === "refused"), code !== undefined);
  });
}

Deno.test("POST /console/handshake takes no place, and tells when all of the service or of the identity are taken", async () => {
  for (const limit of ["MAX_CONNECTIONS", "LIMIT_CONNECTIONS"]) {
    await using service = startService({ ...LOOPBACK, [limit]: "1" });
    const check = (): Promise<Response> =>
      fetch(`${service.origin}/console/handshake`, { method: "POST" });
    for (let count = 0; count < 3; count++) {
      assertEquals((await check()).status, 204, "asking takes no place");
    }
    const socket = new WebSocket(service.url, "wsfetch.v1");
    await new Promise((resolve) => socket.onmessage = resolve);
    const response = await check();
    assertEquals(response.status, 429);
    await response.body?.cancel();
    socket.close();
  }
});

Deno.test("POST /console/handshake tells that the service drains", async () => {
  await using service = startService();
  await service.app.drain();
  const response = await fetch(`${service.origin}/console/handshake`, { method: "POST" });
  assertEquals([response.status, (await response.json()).error.code], [503, "draining"]);
});

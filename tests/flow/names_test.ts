import { assertEquals } from "@std/assert";
import { createResolver } from "../../src/policy/resolver.ts";
import { encodeBearerProtocol, SUBPROTOCOL } from "../../src/protocol/mod.ts";
import { connect } from "../helpers/client.ts";
import { startService } from "../helpers/service.ts";
import { startHttp } from "../helpers/upstream.ts";

function toProtocols(token: string): string[] {
  return [SUBPROTOCOL, encodeBearerProtocol(token)];
}

Deno.test("an identity that asks for names whose DNS server is silent takes no one else's lookups", async () => {
  const silent = new Promise<readonly string[]>(() => {});
  const resolver = createResolver({
    lookup: (host) => host.startsWith("silent") ? silent : Promise.resolve(["127.0.0.1"]),
  });
  await using upstream = startHttp(() => new Response("hello"));
  const { port } = new URL(upstream.origin);
  await using service = startService({
    ALLOW_HOSTS: "*.example:*,127.0.0.0/8:*",
    AUTH_TOKENS: "alice:token-of-alice-1,bob:token-of-bob-1",
  }, { resolver });
  await using alice = await connect(service.url, toProtocols("token-of-alice-1"));
  await using bob = await connect(service.url, toProtocols("token-of-bob-1"));
  for (const client of [alice, bob]) assertEquals((await client.next()).type, "hello");
  for (let round = 0; round < 10; round++) {
    for (let id = 1; id <= 30; id++) {
      const url = `http://silent-${round}-${id}.example:${port}/`;
      alice.send({ type: "request", id: round * 30 + id, url, timeoutMs: 1 });
    }
    for (let id = 1; id <= 30; id++) assertEquals((await alice.next()).type, "error");
    bob.send({ type: "request", id: round + 1, url: `http://name-${round}.example:${port}/` });
    assertEquals((await bob.next()).text, "hello");
  }
});

/**
 * Which HTTP client makes a request. They are told apart by what they send: `direct` leaves
 * the names of fields as they were written.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { connectV1 } from "../helpers/client.ts";
import { startProcess } from "../helpers/process.ts";
import { startService } from "../helpers/service.ts";
import { type RawUpstream, startRaw } from "../helpers/upstream.ts";
import { startCollector } from "../telemetry/collector.ts";

const ALLOW_HOSTS = "127.0.0.1:*,*.invalid:*";
const WRITTEN = "X-Written";

/** A server that keeps the heads that come. */
interface Heads extends RawUpstream {
  readonly heads: readonly string[];
}

function startHeads(): Heads {
  const heads: string[] = [];
  const upstream = startRaw(async (connection) => {
    for (;;) {
      const head = await connection.readHead();
      if (head === "") return connection.close();
      heads.push(head);
      await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    }
  });
  return { ...upstream, heads };
}

/** Makes a request through a service, and gives the answer's text. */
async function ask(
  url: string,
  to: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  await using client = await connectV1(url);
  const frame = { type: "request", id: 1, url: to, headers: { [WRITTEN]: "1", ...headers } };
  const answer = await client.ask(frame);
  return answer.text ?? answer.code;
}

/** Which client has sent a head. */
function senderOf(head: string | undefined): "direct" | "fetch" {
  assertMatch(head ?? "", /\r\nx-written: 1\r\n/i);
  return head?.includes(`\r\n${WRITTEN}: 1\r\n`) ? "direct" : "fetch";
}

const SETTINGS = [
  { name: "by default", input: {}, expected: "direct" },
  { name: "with HTTP_CLIENT=direct", input: { HTTP_CLIENT: "direct" }, expected: "direct" },
  { name: "with HTTP_CLIENT=fetch", input: { HTTP_CLIENT: "fetch" }, expected: "fetch" },
  {
    name: "where the proxy is for https: URLs only",
    input: { HTTPS_PROXY: "http://x.invalid/" },
    expected: "direct",
  },
  {
    name: "to hosts that NO_PROXY names",
    input: { HTTP_PROXY: "http://x.invalid/", NO_PROXY: "127.0.0.0/8" },
    expected: "direct",
  },
  {
    name: "to hosts that NO_PROXY names, with HTTP_CLIENT=fetch",
    input: { HTTP_CLIENT: "fetch", HTTP_PROXY: "http://x.invalid/", NO_PROXY: "127.0.0.0/8" },
    expected: "fetch",
  },
] as const;

for (const { name, input, expected } of SETTINGS) {
  Deno.test(`${expected} makes requests to http: URLs ${name}`, async () => {
    await using upstream = startHeads();
    await using service = startService({ ALLOW_HOSTS, ...input });
    assertEquals(await ask(service.url, upstream.origin), "ok");
    assertEquals(senderOf(upstream.heads[0]), expected);
  });
}

Deno.test("direct makes a request that accepts br, too", async () => {
  await using upstream = startHeads();
  await using service = startService({ ALLOW_HOSTS });
  assertEquals(await ask(service.url, upstream.origin, { "Accept-Encoding": "br" }), "ok");
  assertEquals(senderOf(upstream.heads[0]), "direct");
  assertMatch(upstream.heads[0] ?? "", /\r\nAccept-Encoding: br\r\n/);
});

Deno.test("HTTP_CLIENT decides who makes requests, whether they are traced or not", async () => {
  await using collector = startCollector();
  await using upstream = startHeads();
  for (const HTTP_CLIENT of ["direct", "fetch"]) {
    const settings = { ALLOW_HOSTS, HTTP_CLIENT, ...collector.env };
    await using service = await startProcess(settings);
    assertEquals(await ask(service.url, upstream.origin), "ok");
    service.kill("SIGTERM");
    assertEquals((await service.status).code, 0);
  }
  assertEquals(upstream.heads.map(senderOf), ["direct", "fetch"]);
});

/**
 * Requests through the proxies of the environment, and beside them.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { connectV1, type Frame } from "../helpers/client.ts";
import { startProcess } from "../helpers/process.ts";
import { startProxy } from "../helpers/proxy.ts";
import { startService } from "../helpers/service.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";

const folder = new URL("../helpers/certificates/", import.meta.url);
const read = (name: string): string => Deno.readTextFileSync(new URL(name, folder));
const [cert, key] = [read("localhost.pem"), read("localhost.key")];
const LOCALHOST = { ALLOW_HOSTS: "localhost:*" };
const TRUSTING = {
  ...LOCALHOST,
  DENO_CERT: new URL("ca.pem", folder).pathname,
  DENO_NO_UPDATE_CHECK: "1",
};

/** Makes a request through a service. */
async function ask(
  service: { readonly url: string },
  url: string,
  members: Readonly<Record<string, unknown>> = {},
): Promise<Frame> {
  await using client = await connectV1(service.url);
  return await client.ask({ type: "request", id: 1, url, ...members });
}

/** The first lines of the heads that a proxy got. */
function linesOf({ heads }: { readonly heads: readonly string[] }): readonly string[] {
  return heads.map((head) => head.split("\r\n")[0] ?? "");
}

Deno.test("a proxy of the environment makes requests, and is given the name", async () => {
  await using plain = startHttp(() => new Response("plain"));
  await using secure = startHttp(() => new Response("secure"), { cert, key });
  const [http, https] = [`http://localhost:${plain.port}/x`, `https://localhost:${secure.port}/x`];
  const [get, connect] = [`GET ${http} HTTP/1.1`, `CONNECT localhost:${secure.port} HTTP/1.1`];
  const variables = [
    ["HTTP_PROXY", [get]],
    ["http_proxy", [get]],
    ["HTTPS_PROXY", [connect]],
    ["https_proxy", [connect]],
    ["ALL_PROXY", [get, connect]],
    ["all_proxy", [get, connect]],
  ] as const;
  for (const HTTP_CLIENT of ["direct", "fetch"]) {
    for (const [name, expected] of variables) {
      await using proxy = startProxy();
      await using service = await startProcess({ ...TRUSTING, HTTP_CLIENT, [name]: proxy.origin });
      assertEquals((await ask(service, http)).text, "plain", name);
      assertEquals((await ask(service, https)).text, "secure", name);
      assertEquals(linesOf(proxy), expected, name);
    }
  }
});

Deno.test("NO_PROXY keeps requests from the proxy, whichever client makes them", async () => {
  await using plain = startHttp(({ headers }) => new Response(headers.get("host")));
  await using secure = startHttp(() => new Response("secure"), { cert, key });
  await using proxy = startProxy();
  const proxies = { ALL_PROXY: proxy.origin, HTTP_PROXY: proxy.origin, NO_PROXY: ".localhost" };
  for (const HTTP_CLIENT of ["direct", "fetch"]) {
    await using service = await startProcess({ ...TRUSTING, HTTP_CLIENT, ...proxies });
    const host = `localhost:${plain.port}`;
    assertEquals((await ask(service, `http://${host}/`)).text, host);
    assertEquals((await ask(service, `https://localhost:${secure.port}/`)).text, "secure");
  }
  assertEquals([proxy.heads.length, plain.requests.length, secure.requests.length], [0, 2, 2]);
});

Deno.test("a request that the policy denies does not reach the proxy", async () => {
  await using proxy = startProxy();
  await using service = startService({ ALLOW_HOSTS: "public", HTTP_PROXY: proxy.origin });
  assertEquals((await ask(service, "http://localhost/")).code, "http_request_denied");
  assertEquals((await ask(service, "http://127.0.0.1/")).code, "destination_ip_prohibited");
  assertEquals(proxy.heads, []);
});

Deno.test("the proxy gets the user and the password of its URL, and the destination does not", async () => {
  const echo = ({ headers }: Request): Response => new Response(headers.get("proxy-authorization"));
  await using plain = startHttp(echo);
  await using secure = startHttp(echo, { cert, key });
  const [http, https] = [`http://localhost:${plain.port}/`, `https://localhost:${secure.port}/`];
  for (
    const [tls, url, text] of [
      // The proxy of this test forwards the field; what matters is that it has come there.
      [undefined, http, `Basic ${btoa("me:a@b")}`],
      [{ cert, key }, https, ""],
    ] as const
  ) {
    await using proxy = startProxy(tls && { tls });
    const name = tls === undefined ? "HTTP_PROXY" : "HTTPS_PROXY";
    await using service = startService({
      ...LOCALHOST,
      [name]: proxy.origin.replace("//127.0.0.1", "//me:a%40b@localhost"),
    }, { caCerts: [read("ca.pem")] });
    assertEquals((await ask(service, url)).text, text);
    const field = new RegExp(`^proxy-authorization: Basic ${btoa("me:a@b")}$`, "im");
    assertMatch(proxy.heads[0] ?? "", field);
  }
});

Deno.test("a POST through a proxy reaches the destination once when its connection ends", async () => {
  for (const scheme of ["http", "https"]) {
    await using proxy = startProxy();
    let hits = 0;
    const hit = Promise.withResolvers<void>();
    const handler = async (request: Request): Promise<Response> => {
      if (request.method === "GET") return new Response("first");
      hits++;
      hit.resolve();
      await new Promise<void>((resolve) =>
        request.signal.addEventListener("abort", () => resolve())
      );
      return new Response();
    };
    await using server = startHttp(handler, scheme === "https" ? { cert, key } : {});
    await using service = startService({ ...LOCALHOST, ALL_PROXY: proxy.origin }, {
      caCerts: [read("ca.pem")],
    });
    const url = `${scheme}://localhost:${server.port}/`;
    assertEquals((await ask(service, url)).text, "first");
    await using client = await connectV1(service.url);
    const asking = client.ask({ type: "request", id: 1, url, method: "POST", text: "x" });
    await hit.promise;
    await proxy[Symbol.asyncDispose]();
    const error = await asking;
    assertEquals([error.code, error.sent, error.retryable], [
      "connection_terminated",
      "maybe",
      false,
    ]);
    assertEquals(hits, 1);
  }
});

const REFUSALS = [
  { name: "forbids", refusal: "HTTP/1.1 403 Forbidden\r\n\r\n", message: /made no connection/ },
  { name: "is unable", refusal: "HTTP/1.1 502 Bad\r\n\r\n", message: /made no connection/ },
  { name: "ends the connection", refusal: "", message: /made no connection/ },
  {
    name: "requires a password",
    refusal: "HTTP/1.1 407 Authenticate\r\n\r\n",
    message: /requires a user and a password/,
  },
];

for (const { name, refusal, message } of REFUSALS) {
  Deno.test(`a proxy that ${name} is not taken for the destination`, async () => {
    await using proxy = startProxy({ refusal });
    await using secure = startHttp(() => new Response(), { cert, key });
    // The check of an address that is written in the URL leaves nothing to look up again.
    const settings = { ALLOW_HOSTS: "127.0.0.1:*", HTTPS_PROXY: proxy.origin };
    await using service = startService(settings);
    const error = await ask(service, `https://127.0.0.1:${secure.port}/`);
    assertEquals([error.code, error.sent], ["destination_unavailable", "no"]);
    assertMatch(String(error.message), message);
    assertEquals(secure.requests, []);
  });
}

Deno.test("a proxy that cannot be reached is not taken for the destination", async () => {
  await using secure = startHttp(() => new Response(), { cert, key });
  const gone = startRaw(() => Promise.resolve());
  await gone[Symbol.asyncDispose]();
  for (const proxy of [gone.origin, gone.origin.replace("http:", "socks5:"), "http://no.invalid"]) {
    await using service = startService({ ...LOCALHOST, ALL_PROXY: proxy });
    for (const url of [`http://localhost:${secure.port}/`, `https://localhost:${secure.port}/`]) {
      const { code, sent, retryable, message } = await ask(service, url);
      assertEquals([code, sent, retryable], ["destination_unavailable", "no", true], proxy);
      assertMatch(String(message), /proxy cannot be reached/);
    }
  }
});

Deno.test("what a proxied destination says of TLS is told when the URL has its address", async () => {
  await using proxy = startProxy();
  await using secure = startHttp(() => new Response(), { cert, key });
  const settings = { ALLOW_HOSTS: "127.0.0.1:*,localhost:*", HTTPS_PROXY: proxy.origin };
  await using service = startService(settings);
  const codeOf = async (host: string) =>
    (await ask(service, `https://${host}:${secure.port}/`)).code;
  assertEquals(await codeOf("127.0.0.1"), "tls_certificate_error");
  assertEquals(await codeOf("localhost"), "destination_unavailable");
});

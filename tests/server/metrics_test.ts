import { assert, assertEquals, assertFalse, assertMatch } from "@std/assert";
import { createResolver } from "../../src/policy/resolver.ts";
import { connectPlain, connectV1 } from "../helpers/client.ts";
import { startJwks } from "../helpers/jwks.ts";
import { connectRaw } from "../helpers/raw_client.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { startHttp } from "../helpers/upstream.ts";
import { parseExposition } from "../telemetry/exposition.ts";

const TOKEN = "the-token-of-alice";
const WITH_TOKEN = { ...LOOPBACK, AUTH_TOKENS: `alice:${TOKEN}` };

function ask(
  { origin }: Service,
  authorization?: string,
  method = "GET",
): Promise<Response> {
  const headers: HeadersInit = authorization === undefined ? {} : { authorization };
  return fetch(`${origin}/metrics`, { method, headers });
}

Deno.test("GET /metrics needs no credential where clients need none", async () => {
  await using service = startService();
  const response = await ask(service);
  const { status, headers } = response;
  assertEquals(status, 200);
  assertEquals(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assertEquals(headers.get("cache-control"), "no-store");
  assertEquals(headers.get("x-content-type-options"), "nosniff");
  assertEquals(headers.get("access-control-allow-origin"), null);
  const families = parseExposition(await response.text());
  assertEquals(families.get("wsfetch_open_connections")?.samples[0]?.value, 0);
});

const CREDENTIALS: readonly {
  readonly name: string;
  readonly authorization?: string;
  readonly status: number;
  readonly code?: string;
}[] = [
  { name: "with the token", authorization: `Bearer ${TOKEN}`, status: 200 },
  { name: "without a credential", status: 401, code: "unauthorized" },
  { name: "with another token", authorization: "Bearer other", status: 401, code: "unauthorized" },
  { name: "with Basic", authorization: `Basic ${btoa(`alice:${TOKEN}`)}`, status: 401 },
  {
    name: "with two tokens",
    authorization: `Bearer ${TOKEN} x`,
    status: 400,
    code: "bad_handshake",
  },
];

for (const { name, authorization, status, code } of CREDENTIALS) {
  for (const method of ["GET", "HEAD"]) {
    Deno.test(`${method} /metrics ${name} is ${status} where clients need a credential`, async () => {
      await using service = startService(WITH_TOKEN);
      const response = await ask(service, authorization, method);
      const text = await response.text();
      assertEquals(response.status, status);
      assertEquals(response.headers.has("www-authenticate"), status === 401);
      assertEquals(text.includes("wsfetch_"), status === 200 && method === "GET");
      if (method === "HEAD") assertEquals(text, "");
      else if (code !== undefined) assertEquals(JSON.parse(text).error.code, code);
      // Refusals of handshakes are logged, others are not.
      assertEquals(service.log, []);
    });
  }
}

Deno.test("GET /metrics checks JWTs with the same keys as a handshake, and tells when they cannot be fetched", async () => {
  await using jwks = await startJwks();
  await using service = startService({ ...LOOPBACK, JWT_JWKS_URL: jwks.url.href });
  const token = await jwks.sign();
  jwks.answer("fail");
  const unavailable = await ask(service, `Bearer ${token}`);
  assertEquals(unavailable.status, 503);
  assertMatch(unavailable.headers.get("retry-after") ?? "", /^\d+$/);
  assertEquals((await unavailable.json()).error.code, "authentication_unavailable");
  jwks.answer("keys");
  // The first service does not fetch the key set again immediately.
  await using other = startService({ ...LOOPBACK, JWT_JWKS_URL: jwks.url.href });
  const answers = await Promise.all([
    ask(other, `Bearer ${token}`),
    ask(other, `Bearer ${await jwks.sign({ exp: 1 })}`),
  ]);
  assertEquals(answers.map(({ status }) => status), [200, 401]);
  for (const { body } of answers) await body?.cancel();
});

Deno.test("HEAD /metrics has the headers and no body; other methods are refused", async () => {
  await using service = startService();
  const head = await ask(service, undefined, "HEAD");
  assertEquals([head.status, await head.text()], [200, ""]);
  assertEquals(head.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const post = await ask(service, undefined, "POST");
  assertEquals([post.status, post.headers.get("allow")], [405, "GET, HEAD"]);
  await post.body?.cancel();
});

Deno.test("with METRICS=off, /metrics does not exist, with or without a credential", async () => {
  for (const settings of [LOOPBACK, WITH_TOKEN]) {
    await using service = startService({ ...settings, METRICS: "off" });
    const response = await ask(service, `Bearer ${TOKEN}`);
    assertEquals(response.status, 404);
    const elsewhere = await fetch(`${service.origin}/nothing`);
    assertEquals(await response.text(), await elsewhere.text());
  }
});

Deno.test("/metrics works while the service drains", async () => {
  await using service = startService();
  await service.app.drain();
  const response = await ask(service);
  assertEquals(response.status, 200);
  await response.body?.cancel();
});

const HOSTILE = 300;

Deno.test("clients cannot create series: their methods, upstreams, hosts, codes and headers are not labels", async () => {
  await using destination = startHttp(({ method }) =>
    new Response(null, { status: method === "GET" ? 200 : 404 })
  );
  await using service = startService({
    ...LOOPBACK,
    ALLOW_METHODS: "GET,PURGE,REPORT,PROPFIND",
    UPSTREAMS: JSON.stringify({ shop: destination.origin }),
  }, {
    resolver: createResolver({ lookup: (host) => Promise.reject(new Error(host)) }),
  });
  const series = async (): Promise<Set<string>> => {
    const families = parseExposition(await (await ask(service)).text());
    return new Set(
      [...families.values()].flatMap(({ samples }) =>
        samples.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`)
      ),
    );
  };
  const round = async (word: string): Promise<void> => {
    await using client = await connectV1(service.url);
    const requests = [
      { method: word, url: destination.origin },
      { method: "PURGE", url: destination.origin },
      { method: "GET", url: `${destination.origin}/${word}?${word}=1`, headers: { [word]: word } },
      { upstream: word, path: "/" },
      { upstream: "shop", path: `/${word}` },
      { url: `${word}:/` },
      { url: `http://${word}.invalid:81/` },
      { [word]: word },
      { type: word },
    ];
    for (const [id, request] of requests.entries()) {
      await client.ask({ type: "request", id: id + 1, ...request });
    }
    const headers = { origin: `https://${word}.example`, "sec-websocket-protocol": word };
    using _refused = await connectRaw(service.port, headers);
    client.webSocket.close(3000 + Number(word.slice(1)));
    await client.closed;
  };
  await round("a0");
  await service.logged("disconnected");
  const before = await series();
  for (let i = 1; i <= HOSTILE; i++) await round(`a${i}`);
  const after = await series();
  assertEquals([...after.difference(before)], []);
  await using client = await connectPlain(service.url);
  for (const word of ["__proto__", "constructor", 'a"b', "a\\b", "é", " ", "x".repeat(1000)]) {
    await client.ask({ id: 1, method: word, url: destination.origin });
    await client.ask({ id: 1, method: "GET", url: `${word}:/` });
  }
  // A request that is wrong in a new way adds an error code, which is a word of the service.
  const added = [...(await series()).difference(before)];
  assertEquals(added.filter((name) => !/^[\w ]+[{][-\w":,.+]{1,100}[}]$/.test(name)), []);
  assertFalse(/proto|constructor/.test(added.join()), added.join());
});

Deno.test("metrics contain nothing that clients send or operators configure, except names of upstreams", async () => {
  const mark = (name: string): string => `mark-${name}-Qj7Mk`;
  await using destination = startHttp(() =>
    new Response(mark("body"), { headers: { "x-answer": mark("answer") } })
  );
  await using service = startService({
    ...LOOPBACK,
    AUTH_TOKENS: `${mark("identity")}:${mark("token")}`,
    UPSTREAMS: JSON.stringify({
      shop: {
        baseUrl: `${destination.origin}/${mark("base")}/`,
        headers: { "x-key": mark("key") },
      },
    }),
  });
  const token = new TextEncoder().encode(mark("token"))
    .toBase64({ alphabet: "base64url", omitPadding: true });
  const authorization = `Bearer ${mark("token")}`;
  const webSocket = new WebSocket(service.url, ["wsfetch.v1", `bearer.${token}`]);
  const answered = Promise.withResolvers<void>();
  const requests = [
    { url: `${destination.origin}/${mark("path")}?${mark("query")}=${mark("value")}` },
    {
      url: destination.origin,
      headers: { [mark("field")]: mark("header"), cookie: mark("cookie") },
    },
    { url: destination.origin, method: "POST", text: mark("sent") },
    { url: destination.origin, method: mark("method") },
    { url: `http://${mark("host")}.invalid/` },
    { url: `http://u:${mark("password")}@127.0.0.1/` },
    { upstream: "shop", path: `/${mark("path")}` },
    { upstream: mark("upstream"), path: "/" },
    { url: destination.origin, [mark("member")]: 1 },
  ];
  let answers = -1; // the first frame is hello
  webSocket.onmessage = () => {
    if (++answers === requests.length) answered.resolve();
  };
  webSocket.onclose = ({ code, reason }) => answered.reject(new Error(`${code} ${reason}`));
  webSocket.onopen = () => {
    for (const [index, request] of requests.entries()) {
      webSocket.send(JSON.stringify({ type: "request", id: index + 1, ...request }));
    }
  };
  await answered.promise;
  webSocket.close();
  await service.logged("disconnected");
  using _refused = await connectRaw(service.port, { authorization: `Bearer ${mark("wrong")}` });

  const text = await (await ask(service, authorization)).text();
  assert(text.includes('upstream="shop"'), text);
  const address = `127.0.0.1|${destination.port}|${service.port}|:\\/\\/`;
  for (const leak of [/mark-/i, /Qj7Mk/i, new RegExp(address)]) {
    assertFalse(leak.test(text), `${leak}: ${leak.exec(text)?.[0]}`);
  }
});

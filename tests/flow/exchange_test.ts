import { assert, assertEquals } from "@std/assert";
import { connectPlain, connectV1 } from "../helpers/client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";

Deno.test("a JSON body comes through byte for byte, in both dialects", async () => {
  const body = '{"big":12345678901234567890, "one": 1.0,\n "z":1,"a":"\\u0041"}';
  await using upstream = startHttp(() =>
    new Response(body, { headers: { "content-type": "application/problem+json; charset=utf-8" } })
  );
  await using service = startService();
  await using v1 = await connectV1(service.url);
  v1.send({ type: "request", id: 1, url: upstream.origin });
  assert((await v1.nextText()).endsWith(`,"json":${body}}`));
  await using plain = await connectPlain(service.url);
  plain.send({ url: upstream.origin, method: "GET" });
  assert((await plain.nextText()).endsWith(`,"content":${body}}`));
});

Deno.test("a JSON request body reaches the upstream byte for byte, in both dialects", async () => {
  await using upstream = startHttp(async (request) =>
    Response.json([request.headers.get("content-type"), await request.text()])
  );
  await using service = startService();
  const body = '{ "big": 12345678901234567890, "one": 1.0 }';
  await using v1 = await connectV1(service.url);
  const head = `"url":"${upstream.origin}","method":"post"`;
  const v1Answer = await v1.ask(`{"type":"request","id":1,${head},"json":${body}}`);
  assertEquals(v1Answer.json, ["application/json", body]);
  await using plain = await connectPlain(service.url);
  const plainAnswer = await plain.ask(`{${head},"data":${body}}`);
  assertEquals(plainAnswer.content, ["application/json", body]);
});

Deno.test("a body is text when it is UTF-8, else base64; an empty one is text, none is none", async () => {
  const bodies: Record<string, BodyInit | null> = {
    "/text": "grüße",
    "/broken-json": "{",
    "/bytes": new Uint8Array([0xff, 0x00]),
    "/empty": "",
  };
  await using upstream = startHttp(({ url, method }) => {
    const { pathname } = new URL(url);
    const headers = { "content-type": "application/json" };
    return pathname === "/none"
      ? new Response(null, { status: 204 })
      : new Response(method === "HEAD" ? null : bodies[pathname] ?? null, { headers });
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  const ask = async (path: string, method = "GET"): Promise<unknown[]> => {
    const frame = await client.ask({
      type: "request",
      id: 1,
      method,
      url: `${upstream.origin}${path}`,
    });
    return ["json", "text", "base64"].flatMap((name) => name in frame ? [name, frame[name]] : []);
  };
  assertEquals(await ask("/text"), ["text", "grüße"]);
  assertEquals(await ask("/broken-json"), ["text", "{"]);
  assertEquals(await ask("/bytes"), ["base64", "/wA="]);
  assertEquals(await ask("/empty"), ["text", ""]);
  assertEquals(await ask("/none"), []);
  assertEquals(await ask("/text", "HEAD"), []);
});

Deno.test("every request field is obeyed", async () => {
  await using upstream = startHttp(async (request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/moved") return Response.redirect(new URL("/there", request.url), 302);
    return Response.json({
      method: request.method,
      search,
      custom: request.headers.get("x-custom"),
      type: request.headers.get("content-type"),
      body: await request.text(),
    });
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  const ask = (fields: object): Promise<Record<string, unknown>> =>
    client.ask({ type: "request", id: 1, url: `${upstream.origin}/?q=a%20b`, ...fields });

  const first = await ask({
    method: "patch",
    query: { q: "c d", n: [1, true] },
    headers: { "X-Custom": "yes", "Content-Type": "text/x" },
    text: "hello",
  });
  assertEquals(first.json, {
    method: "PATCH",
    search: "?q=a%20b&q=c+d&n=1&n=true",
    custom: "yes",
    type: "text/x",
    body: "hello",
  });
  const second = await ask({ method: "PUT", headers: [["x-custom", "1"]], base64: "aGk=" });
  assertEquals((second.json as Record<string, unknown>).body, "hi");

  const moved = `${upstream.origin}/moved#part`;
  const followed = await ask({ url: moved });
  assertEquals(
    [followed.status, followed.redirected, followed.url],
    [200, true, `${upstream.origin}/there`],
  );
  const manual = await ask({ url: moved, redirect: "manual" });
  assertEquals(
    [manual.status, manual.redirected, manual.url],
    [302, false, `${upstream.origin}/moved`],
  );
  const refused = await ask({ url: moved, redirect: "error" });
  assertEquals(
    [refused.code, refused.sent, refused.retryable],
    ["too_many_redirects", "yes", false],
  );
});

Deno.test("each Set-Cookie is its own pair", async () => {
  await using upstream = startHttp(() =>
    new Response("", { headers: [["set-cookie", "a=1"], ["set-cookie", "b=2, c"], ["x-a", "1"]] })
  );
  await using service = startService();
  await using v1 = await connectV1(service.url);
  const frame = await v1.ask({ type: "request", id: 1, url: upstream.origin });
  const cookies = frame.headers.filter(([name]: [string]) => name === "set-cookie");
  assertEquals(cookies, [["set-cookie", "a=1"], ["set-cookie", "b=2, c"]]);
  await using plain = await connectPlain(service.url);
  const answer = await plain.ask({ url: upstream.origin, method: "GET" });
  assertEquals(answer.headers["set-cookie"], ["a=1", "b=2, c"]);
});

Deno.test("upstream errors are responses", async () => {
  await using upstream = startHttp(() => new Response("no", { status: 503 }));
  await using service = startService();
  await using client = await connectV1(service.url);
  const frame = await client.ask({ type: "request", id: 1, url: upstream.origin });
  assertEquals([frame.type, frame.status, frame.statusText], [
    "response",
    503,
    "Service Unavailable",
  ]);
});

Deno.test("a timeout says what it interrupted, and whether the upstream may have acted", async () => {
  const heads: Record<string, string> = {
    "/head": "",
    "/body": "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
  };
  await using upstream = startRaw(async (connection) => {
    const path = (await connection.readHead()).split(" ")[1] ?? "";
    await connection.write(heads[path] ?? "");
    await connection.peerClosed();
    connection.close();
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  const ask = (path: string, method: string): Promise<Record<string, unknown>> => {
    const url = `${upstream.origin}${path}`;
    return client.ask({ type: "request", id: 1, url, method, timeoutMs: 50 });
  };
  const fields = ({ code, sent, retryable }: Record<string, unknown>): unknown[] => [
    code,
    sent,
    retryable,
  ];
  assertEquals(fields(await ask("/head", "GET")), ["http_response_timeout", "maybe", true]);
  assertEquals(fields(await ask("/head", "POST")), ["http_response_timeout", "maybe", false]);
  assertEquals(fields(await ask("/body", "GET")), ["http_response_timeout", "yes", true]);
});

Deno.test("a name lookup that takes too long is dns_timeout, and nothing was sent", async () => {
  await using service = startService({}, { resolver: { resolve: () => new Promise(() => {}) } });
  await using client = await connectV1(service.url);
  const url = "http://slow.example/";
  const frame = await client.ask({ type: "request", id: 1, url, method: "POST", timeoutMs: 20 });
  assertEquals([frame.code, frame.sent, frame.retryable], ["dns_timeout", "no", true]);
});

Deno.test("methods, sizes and times beyond the limits are refused, and say the limit", async () => {
  await using upstream = startHttp(() => new Response("x".repeat(2000)));
  await using service = startService({
    ALLOW_HOSTS: "127.0.0.1:*",
    ALLOW_METHODS: "GET,POST",
    MAX_REQUEST_BYTES: "10",
    MAX_RESPONSE_BYTES: "1999",
    MAX_TIMEOUT_MS: "60000",
    MAX_FRAME_BYTES: "1024",
  });
  await using client = await connectV1(service.url);
  const ask = (fields: object): Promise<Record<string, unknown>> =>
    client.ask({ type: "request", id: 7, url: upstream.origin, ...fields });

  const cases = [
    [{ method: "PUT" }, 7, "unsupported_method", "GET, POST"],
    [{ method: "POST", text: "12345678901" }, 7, "request_too_large", "at most 10"],
    [{ timeoutMs: 60001 }, 7, "bad_request", "60000"],
    [{ headers: { x: "y".repeat(1000) } }, undefined, "frame_too_large", "1024"],
    [{}, 7, "http_response_body_size", "1999"],
  ] as const;
  for (const [fields, id, code, part] of cases) {
    const frame = await ask(fields);
    assertEquals([frame.type, frame.id, frame.code], ["error", id, code]);
    assert(String(frame.message).includes(part), `${frame.message} names ${part}`);
  }
  assertEquals(upstream.requests.length, 1, "only the last request was made");
});

Deno.test("bytes of UTF-8 are counted, not characters", async () => {
  await using service = startService({ MAX_FRAME_BYTES: "1024" });
  await using client = await connectV1(service.url);
  const frame = await client.ask({ type: "ping", data: "é".repeat(600) });
  assertEquals(frame.code, "frame_too_large");
  const pong = await client.ask({ type: "ping", data: "é".repeat(125) });
  assertEquals(pong, { type: "pong", data: "é".repeat(125) });
});

Deno.test("a request body, a time and a response body of exactly their limits are taken", async () => {
  await using upstream = startHttp(async (request) => new Response(await request.text()));
  await using service = startService({
    ...LOOPBACK,
    MAX_REQUEST_BYTES: "10",
    MAX_RESPONSE_BYTES: "10",
    MAX_TIMEOUT_MS: "60000",
    REQUEST_TIMEOUT_MS: "60000",
  });
  await using client = await connectV1(service.url);
  const request = { type: "request", id: 7, url: upstream.origin, method: "POST" };
  const bodies: readonly (readonly [members: object, text: string])[] = [
    [{ text: "é".repeat(5), timeoutMs: 60_000 }, "é".repeat(5)],
    [{ base64: btoa("0123456789") }, "0123456789"],
    [{ json: "12345678" }, '"12345678"'],
  ];
  for (const [members, text] of bodies) {
    assertEquals((await client.ask({ ...request, ...members })).text, text);
  }
  const error = await client.ask({ ...request, text: "é".repeat(5) + "x" });
  assertEquals([error.code, upstream.requests.length], ["request_too_large", bodies.length]);
});

for (const character of ["a", "é", "€", "\u{1f600}"]) {
  const size = new TextEncoder().encode(character).byteLength;
  Deno.test(`a frame of ${size}-byte characters is taken up to exactly MAX_FRAME_BYTES`, async () => {
    await using upstream = startHttp(async (request) => new Response(await request.text()));
    await using service = startService({ ...LOOPBACK, MAX_FRAME_BYTES: "1024" });
    await using client = await connectV1(service.url);
    const request = { type: "request", id: 7, url: upstream.origin, method: "POST" };
    const restBytes = 1024 - JSON.stringify({ ...request, text: "" }).length;
    const text = character.repeat(Math.floor(restBytes / size)) + "a".repeat(restBytes % size);
    assertEquals((await client.ask({ ...request, text })).text, text);
    const error = await client.ask({ ...request, text: `${text}a` });
    assertEquals([error.type, error.id, error.code], ["error", undefined, "frame_too_large"]);
  });
}

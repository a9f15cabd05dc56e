import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  connect,
  connectPlain,
  connectV1,
  type Frame,
  type TestClient,
} from "../helpers/client.ts";
import { startCommand, startProcess } from "../helpers/process.ts";
import { type Service, startService } from "../helpers/service.ts";
import { latin1, startHttp, startRaw } from "../helpers/upstream.ts";

const TOKEN = 'tok/en+"1"%a~&!marker';
const FILE_SECRET = "file-marker secret";
const SOURCES = {
  env: (name: string): string | undefined => name === "TOKEN" ? TOKEN : undefined,
  readText: (): string => `${FILE_SECRET}\r\n`,
};
const HEADERS = {
  Authorization: "Bearer ${env:TOKEN}",
  "x-api-key": "${file:/run/secrets/key}",
  "X-Inline": "inline-marker",
  "x-basic": `Basic ${btoa("user:pass-marker")}`,
};
const INJECTED = {
  authorization: `Bearer ${TOKEN}`,
  "x-api-key": FILE_SECRET,
  "x-inline": "inline-marker",
  "x-basic": HEADERS["x-basic"],
};

/** A service whose only destinations are these upstreams, unless `settings` say otherwise. */
function startWith(upstreams: object, settings: Record<string, string> = {}): Service {
  const UPSTREAMS = JSON.stringify(upstreams);
  return startService({ ALLOW_HOSTS: "", UPSTREAMS, ...settings }, { sources: SOURCES });
}

/** Asks for a path of the upstream `api` in every way that a client can write it. */
async function askEach(service: Service, path: string, fields: object = {}): Promise<Frame[]> {
  await using v1 = await connectV1(service.url);
  await using plain = await connectPlain(service.url);
  return [
    await v1.ask({ type: "request", id: 1, upstream: "api", path, ...fields }),
    await v1.ask({ type: "request", id: 2, url: `api:${path}`, ...fields }),
    await plain.ask({ url: `api:${path}`, method: "GET", ...fields }),
  ];
}

const request = (path: string, fields: object = {}): object => ({
  type: "request",
  id: 1,
  upstream: "api",
  path,
  ...fields,
});
const statusOf = ({ status, status_code }: Frame): number => status ?? status_code;
const bodyOf = ({ json, content }: Frame): Record<string, unknown> => json ?? content;
const headersOf = ({ headers }: Frame): Record<string, unknown> =>
  Array.isArray(headers) ? Object.fromEntries(headers) : headers;

function pick(from: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.keys(INJECTED).map((name) => [name, from[name]]));
}

/** A server that answers with the request's header fields. */
const startEcho = (): ReturnType<typeof startHttp> =>
  startHttp(({ headers }) => Response.json(Object.fromEntries(headers)));

Deno.test("an upstream's header fields are put into the request, and win over the client's", async () => {
  await using server = startEcho();
  await using service = startWith({ api: { baseUrl: `${server.origin}/v1`, headers: HEADERS } });
  const tries: readonly object[] = [
    {},
    { headers: { authorization: "Bearer mine", "x-api-key": "mine", "x-other": "kept" } },
    { headers: { AUTHORIZATION: "mine", "X-API-KEY": "mine", "x-INLINE": "", "X-Other": "kept" } },
    {
      headers: [
        ["Authorization", "one"],
        ["authorization", "two"],
        ["x-api-key", "one"],
        ["X-Api-Key", "two"],
        ["x-other", "kept"],
      ],
    },
    {
      headers: {
        connection: "authorization, x-api-key, X-Inline, x-basic",
        authorization: "mine",
        "x-other": "kept",
      },
    },
  ];
  for (const fields of tries) {
    for (const answer of await askEach(service, "/x", fields)) {
      assertEquals(pick(bodyOf(answer)), INJECTED);
      assertEquals(bodyOf(answer)["x-other"], "headers" in fields ? "kept" : undefined);
    }
  }
  assertEquals(
    new Set(server.requests),
    new Set([`GET ${server.origin}/v1/x`]),
  );
});

Deno.test("a body goes to an upstream, in both dialects, with its header fields", async () => {
  await using server = startHttp(async ({ method, headers, body }) =>
    Response.json([method, pick(Object.fromEntries(headers)), await new Response(body).text()])
  );
  await using service = startWith({ api: { baseUrl: server.origin, headers: HEADERS } });
  await using v1 = await connectV1(service.url);
  await using plain = await connectPlain(service.url);
  const data = { a: 1 };
  const answers = [
    await v1.ask(request("/x", { method: "put", json: data })),
    await plain.ask({ url: "api:/x", method: "PUT", data }),
  ];
  for (const answer of answers) assertEquals(bodyOf(answer), ["PUT", INJECTED, '{"a":1}']);
});

Deno.test("what an upstream echoes of its secrets in its response's head is redacted", async () => {
  const base64 = (text: string): string => latin1(text).toBase64();
  const lines = [
    `x-same: Bearer ${TOKEN}`,
    `x-credentials: (${TOKEN})`,
    `x-percent: ${encodeURIComponent(TOKEN)}`,
    `x-base64: ${base64(TOKEN)}`,
    `x-base64url: ${latin1(TOKEN).toBase64({ alphabet: "base64url", omitPadding: true })}`,
    `x-file: ${FILE_SECRET}`,
    `x-inline: inline-marker`,
    `x-password: pass-marker`,
    `x-basic: ${HEADERS["x-basic"]}`,
    `x-form: ${new URLSearchParams({ key: FILE_SECRET })}`,
    `x-json: ${JSON.stringify({ token: TOKEN })}`,
    `x-harmless: fine`,
    `location: /login?token=${encodeURIComponent(TOKEN)}&key=inline-marker`,
    `set-cookie: a=${TOKEN}; Path=/`,
    `set-cookie: b=inline-marker`,
  ];
  await using server = startRaw(async (connection) => {
    while (await connection.readHead() !== "") {
      const head = `HTTP/1.1 302 inline-marker ${TOKEN}\r\n${lines.join("\r\n")}`;
      await connection.write(`${head}\r\ncontent-length: 0\r\n\r\n`);
    }
    connection.close();
  });
  await using service = startWith({ api: { baseUrl: server.origin, headers: HEADERS } });
  await using client = await connectV1(service.url);
  client.send(request("/x", { redirect: "manual" }));
  const text = await client.nextText();
  for (const mark of ["marker", base64(TOKEN).slice(0, 12), encodeURIComponent(TOKEN)]) {
    assert(!text.includes(mark), `${mark} stands in ${text}`);
  }
  const { status, statusText, headers } = JSON.parse(text);
  assertEquals(status, 302);
  assert(!statusText.includes("marker"), statusText);
  const cookies = headers.filter(([name]: [string]) => name === "set-cookie");
  assertEquals(cookies, [["set-cookie", "a=[redacted]; Path=/"], ["set-cookie", "b=[redacted]"]]);
  const { "x-harmless": harmless, "set-cookie": _, "content-length": length, ...redacted } = Object
    .fromEntries(headers);
  assertEquals([harmless, length], ["fine", "0"]);
  assertEquals(redacted, {
    "x-same": "[redacted]",
    "x-credentials": "([redacted])",
    "x-percent": "[redacted]",
    "x-base64": "[redacted]",
    "x-base64url": "[redacted]",
    "x-file": "[redacted]",
    "x-inline": "[redacted]",
    "x-password": "[redacted]",
    "x-basic": "[redacted]",
    "x-form": "key=[redacted]",
    "x-json": '{"token":"[redacted]"}',
    location: "/login?token=[redacted]&key=[redacted]",
  });
});

Deno.test("the plain dialect redacts as well, and lists set-cookie as ever", async () => {
  await using server = startHttp(() =>
    new Response("", {
      headers: [
        ["x-key", `<${FILE_SECRET}>`],
        ["set-cookie", "a=inline-marker"],
        ["set-cookie", "b=2"],
      ],
    })
  );
  await using service = startWith({ api: { baseUrl: server.origin, headers: HEADERS } });
  await using client = await connectPlain(service.url);
  const { headers } = await client.ask({ url: "api:/", method: "GET" });
  assertEquals(headers["x-key"], "<[redacted]>");
  assertEquals(headers["set-cookie"], ["a=[redacted]", "b=2"]);
});

Deno.test("a redirect that puts a secret into the URL does not show it, in whatever spelling", async () => {
  const spellings = {
    "/all": encodeURIComponent(TOKEN),
    "/raw": TOKEN.replace("%", "%25").replace("&", "%26"), // as URL parsers encode the rest
    "/slash": encodeURIComponent(TOKEN).replaceAll("%2F", "/"), // as Python does
    "/most": encodeURIComponent(TOKEN).replace("~", "%7e").replace("!", "%21"), // as forms do
    "/form": String(new URLSearchParams({ t: FILE_SECRET })).slice(2),
  };
  await using server = startHttp(({ url }) => {
    const { pathname } = new URL(url);
    const secret = Object.entries(spellings).find(([path]) => `/v1${path}` === pathname)?.[1];
    if (secret === undefined) return new Response("there");
    return new Response(null, { status: 307, headers: { location: `/v1/there?t=${secret}&u=1` } });
  });
  await using service = startWith({ api: { baseUrl: `${server.origin}/v1`, headers: HEADERS } });
  await using client = await connectV1(service.url);
  for (const path of Object.keys(spellings)) {
    const answer = await client.ask(request(path));
    assertEquals([answer.text, answer.url], ["there", "api:/there?t=[redacted]&u=1"], path);
  }
  assertEquals(server.requests.length, 2 * Object.keys(spellings).length);
});

Deno.test("a redirect inside the base gets the header fields again, one to elsewhere never does", async () => {
  const seen: [string, Record<string, unknown>][] = [];
  const note = ({ url, headers }: Request): URL => {
    seen.push([url, pick(Object.fromEntries(headers))]);
    return new URL(url);
  };
  const none = pick({});
  await using other = startHttp((request) => {
    const { searchParams } = note(request);
    return Response.redirect(searchParams.get("to") ?? "", 302);
  });
  await using server = startHttp((request) => {
    const { searchParams } = note(request);
    const to = searchParams.get("to");
    return to === null ? new Response("there") : new Response(null, {
      status: 302,
      headers: { location: to },
    });
  });
  const upstreams = { api: { baseUrl: `${server.origin}/v1`, headers: HEADERS } };
  const to = (url: string): string => `?to=${encodeURIComponent(url)}`;
  const inside = `${server.origin}/v1/there`;
  const back = `${other.origin}/${to(inside)}`;
  const ALL = { ALLOW_HOSTS: "127.0.0.1:*" };

  await using open = startWith(upstreams, ALL);
  for (const answer of await askEach(open, `/x${to("/v1/there")}`)) {
    assertEquals(statusOf(answer), 200);
    if ("url" in answer) assertEquals([answer.url, answer.redirected], ["api:/there", true]);
  }
  for (const [, headers] of seen) assertEquals(headers, INJECTED);
  assertEquals(seen.length, 6);

  seen.length = 0;
  for (const answer of await askEach(open, `/x${to(back)}`)) assertEquals(statusOf(answer), 200);
  assertEquals(seen.map(([url]) => url).slice(0, 3), [
    `${server.origin}/v1/x${to(back)}`,
    back,
    inside,
  ]);
  assertEquals(seen.map(([, headers]) => headers), [1, 2, 3].flatMap(() => [INJECTED, none, none]));
  const reasons = open.log.filter(({ event }) => event === "decided").map(({ reason }) => reason);
  assertEquals(reasons.slice(-3), ["upstream:api", "127.0.0.1:*", "127.0.0.1:*"]);

  seen.length = 0;
  await using halfOpen = startWith(upstreams, { ALLOW_HOSTS: `127.0.0.1:${other.port}` });
  for (const answer of await askEach(halfOpen, `/x${to(back)}`)) {
    assert(["destination_ip_prohibited", "http_request_denied"].includes(answer.code));
    if ("type" in answer) assertEquals(answer.sent, "yes");
  }
  assertEquals(seen.length, 6, "the way back to the upstream is closed");

  seen.length = 0;
  await using closed = startWith(upstreams);
  for (const answer of await askEach(closed, `/x${to(back)}`)) {
    assert(["destination_ip_prohibited", "http_request_denied"].includes(answer.code));
  }
  assertEquals(seen.map(([url]) => new URL(url).port), Array(3).fill(String(server.port)));
});

Deno.test("a redirect on the same origin is denied outside the base, the patterns and the methods", async () => {
  await using server = startHttp(({ url }) => {
    const { searchParams } = new URL(url);
    const status = Number(searchParams.get("status"));
    const headers = { location: searchParams.get("to") ?? "" };
    return new Response(null, { status, headers });
  });
  await using service = startWith({
    api: {
      baseUrl: `${server.origin}/v1`,
      headers: HEADERS,
      paths: ["/repos/:id"],
      methods: ["POST"],
    },
  }, { ALLOW_HOSTS: "127.0.0.1:*" });
  await using client = await connectV1(service.url);
  const cases = [
    [307, "/v1/repos", "path"],
    [308, "/admin", "path"],
    [307, "/", "path"],
    [307, "/v1/repos/../../admin", "path"],
    [307, "/v1/repos/..%2f..%2fadmin", "path"],
    [307, "/v1/repos/a%2fb", "path"],
    [307, "/v1/users/1", "path"],
    [307, "/v10/repos/1", "path"],
    [307, `http://user:pass@127.0.0.1:${server.port}/v1/repos/1`, "path"],
    [303, "/v1/repos/1", "method"],
    [302, "/v1/repos/1", "method"],
    [301, "/v1/repos/1", "method"],
  ] as const;
  for (const [index, [status, to, reason]] of cases.entries()) {
    const path = `/repos/x?status=${status}&to=${encodeURIComponent(to)}`;
    const answer = await client.ask(request(path, { method: "POST", text: "x" }));
    const where = `${status} ${to}`;
    assertEquals([answer.code, answer.sent], ["http_request_denied", "yes"], where);
    const line = await service.logged("exchanged", ({ exchange }) => exchange === index + 1);
    assertEquals([line.decision, line.reason, line.upstream], ["deny", reason, "api"], where);
    assertEquals(server.requests.length, index + 1, "the redirect was not followed");
  }
});

Deno.test("streams, uploads, HEAD and 204 work with an upstream as with a URL", async () => {
  const body = "x".repeat(100_000);
  const seen: (string | null)[] = [];
  await using server = startHttp(async (incoming) => {
    seen.push(incoming.headers.get("authorization"));
    const { pathname } = new URL(incoming.url);
    const headers = { "x-echo": incoming.headers.get("x-inline") ?? "" };
    if (incoming.method === "HEAD" || pathname === "/v1/none") {
      return new Response(null, { status: pathname === "/v1/none" ? 204 : 200, headers });
    }
    if (pathname === "/v1/events") {
      const type = { ...headers, "content-type": "text/event-stream" };
      return new Response("data: one\n\ndata: two\n\n", { headers: type });
    }
    if (pathname === "/v1/lines") return new Response("a\nb\n", { headers });
    return new Response(incoming.body === null ? body : await incoming.text(), { headers });
  });
  await using service = startWith({ api: { baseUrl: `${server.origin}/v1`, headers: HEADERS } });
  await using client = await connectV1(service.url);
  const assertHead = ({ url, headers }: Frame, path: string): void => {
    assertEquals(url, `api:${path}`);
    assertEquals(headersOf({ headers })["x-echo"], "[redacted]");
  };

  client.send(request("/big", { stream: true }));
  const head = await client.next();
  assertEquals([head.type, head.stream], ["response", true]);
  assertHead(head, "/big");
  let length = 0;
  for (let fin = false; !fin;) {
    const chunk = await client.next();
    length += chunk.payload.length;
    fin = chunk.fin;
  }
  assertEquals(length, body.length);

  client.send(request("/events", { stream: "events" }));
  const events = await client.take(4);
  assertHead(events[0], "/events");
  assertEquals(events.slice(1).map(({ type, data }) => [type, data]), [
    ["event", "one"],
    ["event", "two"],
    ["end", undefined],
  ]);

  client.send(request("/lines", { stream: "lines" }));
  const lines = await client.take(4);
  assertHead(lines[0], "/lines");
  assertEquals(lines.slice(1).map(({ data }) => data), ["a", "b", undefined]);

  client.send(request("/upload", { method: "POST", bodyFollows: true, id: 7 }));
  client.send(new Uint8Array([0, 0, 0, 7, 0, ...latin1("hello ")]));
  client.send(new Uint8Array([0, 0, 0, 7, 1, ...latin1("world")]));
  let answer = await client.next();
  while (answer.type === "grant") answer = await client.next();
  assertHead(answer, "/upload");
  assertEquals(answer.text, "hello world");

  const without = [
    await client.ask(request("/x", { method: "HEAD" })),
    await client.ask(request("/none", { stream: true })),
  ];
  for (const frame of without) {
    assertHead(frame, frame.status === 204 ? "/none" : "/x");
    assert(!("text" in frame) && !("base64" in frame) && !("json" in frame));
  }
  assertEquals(without.map(({ status }) => status), [200, 204]);
  assertEquals(seen, Array(6).fill(INJECTED.authorization));
});

Deno.test("an upstream at a private address needs no rule, and its URL is as closed as any", async () => {
  await using server = startEcho();
  for (const settings of [{ ALLOW_HOSTS: "" }, { ALLOW_HOSTS: "public" }]) {
    await using service = startWith(
      { api: { baseUrl: server.origin, headers: HEADERS } },
      settings,
    );
    for (const answer of await askEach(service, "/x")) assertEquals(statusOf(answer), 200);
    const made = server.requests.length;
    await using client = await connectV1(service.url);
    await using plain = await connectPlain(service.url);
    for (const url of [`${server.origin}/x`, `http://localhost:${server.port}/x`]) {
      for (
        const answer of [
          await client.ask({ type: "request", id: 1, url }),
          await plain.ask({ url, method: "GET" }),
        ]
      ) {
        assert(["destination_ip_prohibited", "http_request_denied"].includes(answer.code));
      }
    }
    assertEquals(server.requests.length, made);
  }
});

Deno.test("a request for an upstream's URL gets none of its header fields, though the URL is allowed", async () => {
  await using server = startEcho();
  await using service = startWith({ api: { baseUrl: server.origin, headers: HEADERS } }, {
    ALLOW_HOSTS: "127.0.0.1:*",
  });
  await using client = await connectV1(service.url);
  const answer = await client.ask({ type: "request", id: 1, url: `${server.origin}/x` });
  assertEquals(pick(answer.json), pick({}));
  assertEquals(answer.url, `${server.origin}/x`);
});

Deno.test("an upstream that is not there is unknown, and nothing is sent", async () => {
  await using server = startEcho();
  await using service = startWith({ api: { baseUrl: server.origin } });
  await using client = await connectV1(service.url);
  await using plain = await connectPlain(service.url);
  for (const name of ["other", "apis", "constructor", "file", "javascript"]) {
    const answers = [
      await client.ask({ type: "request", id: 1, upstream: name, path: "/x" }),
      await client.ask({ type: "request", id: 1, url: `${name}:/x` }),
    ];
    for (const { code, sent, retryable, message } of answers) {
      assertEquals([code, sent, retryable], ["unknown_upstream", "no", false]);
      assertStringIncludes(message, JSON.stringify(name));
    }
    assertEquals((await plain.ask({ url: `${name}:/x`, method: "GET" })).code, "unknown_upstream");
  }
  for (
    const name of ["", "API", "api:", "__proto__", "api/x", "http://evil.example", "a".repeat(300)]
  ) {
    const { code, sent } = await client.ask({ type: "request", id: 1, upstream: name, path: "/x" });
    assert(["unknown_upstream", "bad_request"].includes(code), name);
    assertEquals(sent, "no");
  }
  assertEquals(server.requests.length, 0);
});

/** Connects as a browser does that has a token. */
const connectAs = (service: Pick<Service, "url">, token: string): Promise<TestClient> => {
  const encoded = latin1(token).toBase64({ alphabet: "base64url", omitPadding: true });
  return connect(service.url, ["wsfetch.v1", `bearer.${encoded}`]);
};

Deno.test("hello lists the upstreams of an identity, sorted, and others are forbidden to it", async () => {
  await using server = startEcho();
  const baseUrl = server.origin;
  const upstreams = {
    zebra: { baseUrl },
    bobs: { baseUrl, identities: ["bob"] },
    both: { baseUrl, identities: ["alice", "bob"] },
    alices: { baseUrl, identities: ["alice"] },
  };
  await using service = startWith(upstreams, { AUTH_TOKENS: "alice:token-a,bob:token-b" });
  const cases = [
    ["token-a", ["alices", "both", "zebra"], "bobs"],
    ["token-b", ["bobs", "both", "zebra"], "alices"],
  ] as const;
  for (const [token, names, other] of cases) {
    await using client = await connectAs(service, token);
    assertEquals((await client.next()).upstreams, names);
    for (const upstream of names) {
      const answer = await client.ask({ type: "request", id: 1, upstream, path: "/" });
      assertEquals(answer.status, 200);
    }
    const made = server.requests.length;
    for (const target of [{ upstream: other, path: "/" }, { url: `${other}:/` }]) {
      const refused = await client.ask({ type: "request", id: 1, ...target });
      assertEquals([refused.code, refused.sent, refused.retryable], ["forbidden", "no", false]);
    }
    assertEquals(server.requests.length, made);
  }
  await using open = startWith(upstreams);
  await using anyone = await connect(open.url, ["wsfetch.v1"]);
  assertEquals((await anyone.next()).upstreams, ["zebra"]);
  for (const upstream of ["alices", "bobs", "both"]) {
    const refused = await anyone.ask({ type: "request", id: 1, upstream, path: "/" });
    assertEquals(refused.code, "forbidden");
  }
});

Deno.test("methods and paths that are not listed are denied, logged, and not sent", async () => {
  await using server = startHttp(() => new Response("x"));
  await using service = startWith({
    api: {
      baseUrl: `${server.origin}/v1`,
      methods: ["get", "POST"],
      paths: ["/repos/:id", "/files/*", "/exact"],
    },
  }, { ALLOW_METHODS: "GET,POST,DELETE,HEAD" });
  await using client = await connectV1(service.url);
  const cases = [
    ["GET", "/repos/1", undefined],
    ["POST", "/repos/1?x=/users", undefined],
    ["GET", "/repos/a%20b", undefined],
    ["GET", "/files/a/b/c", undefined],
    ["GET", "/files/a%2Fb", undefined],
    ["GET", "/exact", undefined],
    ["GET", "/exact#/x", undefined],
    ["DELETE", "/repos/1", "method"],
    ["HEAD", "/exact", "method"],
    ["GET", "/", "path"],
    ["GET", "/repos", "path"],
    ["GET", "/repos/", "path"],
    ["GET", "/repos/1/2", "path"],
    ["GET", "/repos/1%2F2", "path"],
    ["GET", "/repos/1%2f2", "path"],
    ["GET", "/repos/1/", "path"],
    ["GET", "/REPOS/1", "path"],
    ["GET", "/%72epos/1", "path"],
    ["GET", "/exact/", "path"],
    ["GET", "/exact?/", undefined],
    ["GET", "/exac%74", "path"],
    ["GET", "/users/1", "path"],
  ] as const;
  let made = 0;
  for (const [index, [method, path, reason]] of cases.entries()) {
    const answer = await client.ask(request(path, { method }));
    const where = `${method} ${path}`;
    const line = await service.logged("exchanged", ({ exchange }) => exchange === index + 1);
    if (reason === undefined) {
      made++;
      assertEquals(
        [answer.status, line.decision, line.reason],
        [200, "allow", "upstream:api"],
        where,
      );
    } else {
      assertEquals([answer.code, answer.sent], ["http_request_denied", "no"], where);
      assertEquals([line.decision, line.reason, line.outcome], ["deny", reason, "error"], where);
      assert(!answer.message.includes(server.origin), "where it is, is not told");
    }
    assertEquals(line.upstream, "api");
    assertEquals(server.requests.length, made, where);
  }
});

Deno.test("an upstream's methods do not widen those of the service", async () => {
  await using server = startEcho();
  await using service = startWith({ api: { baseUrl: server.origin, methods: ["DELETE"] } }, {
    ALLOW_METHODS: "GET",
  });
  await using client = await connectV1(service.url);
  const answer = await client.ask(request("/", { method: "DELETE" }));
  assertEquals([answer.code, server.requests.length], ["unsupported_method", 0]);
});

Deno.test("an upstream's timeoutMs is what a request has, and the most it can have", async () => {
  await using server = startHttp(() => new Promise<Response>(() => {}));
  await using service = startWith({
    api: { baseUrl: server.origin, timeoutMs: 60 },
    patient: { baseUrl: server.origin, timeoutMs: 90 },
  }, { REQUEST_TIMEOUT_MS: "50", MAX_TIMEOUT_MS: "70" });
  await using client = await connectV1(service.url);
  const cases = [
    [{}, /within 60 ms/],
    [{ timeoutMs: 70 }, /within 60 ms/],
    [{ timeoutMs: 20 }, /within 20 ms/],
    [{ upstream: "patient" }, /within 90 ms/],
  ] as const;
  for (const [fields, expected] of cases) {
    const answer = await client.ask(request("/", fields));
    assertEquals([answer.code, answer.sent], ["http_response_timeout", "maybe"]);
    assertMatch(answer.message, expected);
  }
  assertEquals((await client.ask(request("/", { timeoutMs: 71 }))).code, "bad_request");
});

Deno.test("an upstream takes maxInFlight exchanges, and gets a place back whichever way one ends", async () => {
  const came: PromiseWithResolvers<void>[] = [];
  const coming = (): Promise<void> => {
    const next = Promise.withResolvers<void>();
    came.push(next);
    return next.promise;
  };
  await using server = startRaw(async (connection) => {
    const head = await connection.readHead();
    came.shift()?.resolve();
    if (head.includes("/break ")) return connection.close();
    if (head.includes("/hang ")) await connection.peerClosed();
    await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx");
    connection.close();
  });
  await using service = startWith({ api: { baseUrl: server.origin, maxInFlight: 1 } });
  await using client = await connectV1(service.url);
  await using other = await connectV1(service.url);

  const assertFull = async (): Promise<void> => {
    const made = server.connections();
    const refused = await other.ask(request("/"));
    assertEquals(
      [refused.code, refused.sent, refused.retryable],
      ["too_many_in_flight", "no", true],
    );
    assertEquals(server.connections(), made);
  };
  const assertFree = async (): Promise<void> =>
    assertEquals((await other.ask(request("/"))).status, 200);
  const hang = async (who: TestClient, fields: object = {}): Promise<void> => {
    const arrived = coming();
    who.send(request("/hang", { id: 5, ...fields }));
    await arrived;
  };

  await assertFree();
  await hang(client, { timeoutMs: 100 });
  await assertFull();
  assertEquals((await client.next()).code, "http_response_timeout");
  await assertFree();

  assertEquals((await client.ask(request("/break"))).code, "connection_terminated");
  await assertFree();

  await hang(client);
  await assertFull();
  client.send({ type: "cancel", id: 5 });
  await service.logged("exchanged", ({ outcome }) => outcome === "cancelled");
  await assertFree();

  await using vanishing = await connectV1(service.url);
  await hang(vanishing);
  await assertFull();
  vanishing.webSocket.close();
  await service.logged("disconnected");
  await service.logged("exchanged", isNth(2, ({ outcome }) => outcome === "cancelled"));
  await assertFree();
});

/** Fits the n-th line that fits. */
function isNth(
  count: number,
  fits: (line: Readonly<Record<string, unknown>>) => boolean,
): (line: Readonly<Record<string, unknown>>) => boolean {
  let left = count;
  return (line) => fits(line) && --left === 0;
}

Deno.test("query is appended, a fragment dropped, and response.url is the name and the path", async () => {
  await using server = startHttp(() => new Response("x"));
  for (const base of ["", "/", "/v1", "/v1/"]) {
    await using service = startWith({ api: `${server.origin}${base}` });
    await using client = await connectV1(service.url);
    await using plain = await connectPlain(service.url);
    const query = { b: [2, "c d"], "e&": true };
    const cases = [
      [{ upstream: "api", path: "/x" }, "/x"],
      [{ upstream: "api", path: "/x?a=1#part", query }, "/x?a=1&b=2&b=c+d&e%26=true"],
      [{ url: "api:/x?a=1#part", query }, "/x?a=1&b=2&b=c+d&e%26=true"],
      [{ url: "api:/#?part", query: { "#": "#/../" } }, "/?%23=%23%2F..%2F"],
      [{ url: "api:/" }, "/"],
    ] as const;
    for (const [target, expected] of cases) {
      const { url } = await client.ask({ type: "request", id: 1, ...target });
      assertEquals(url, `api:${expected}`);
      const prefix = base.replace(/\/$/, "");
      assertEquals(server.requests.at(-1), `GET ${server.origin}${prefix}${expected}`);
    }
    await plain.ask({ url: "api:/x?a=1#part", method: "GET", data: { b: 2 } });
    assertMatch(server.requests.at(-1) ?? "", /\/x\?a=1&b=2$/);
  }
});

/** A directory of this test alone. */
async function makeDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("SIGHUP reads the upstreams and their secrets again, or leaves them as they are", async () => {
  const came = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  await using server = startHttp(async ({ url, headers }) => {
    if (url.endsWith("/slow")) {
      came.resolve();
      await gate.promise;
    }
    return Response.json([headers.get("x-file"), headers.get("x-env")], {
      headers: { "x-echo": headers.get("x-file") ?? "" },
    });
  });
  await using directory = await makeDirectory();
  const [json, secret] = [`${directory.path}/upstreams.json`, `${directory.path}/secret`];
  const headers = { "x-file": `\${file:${secret}}`, "x-env": "${env:UPSTREAM_KEY}" };
  const write = (upstreams: unknown): Promise<void> =>
    Deno.writeTextFile(json, JSON.stringify(upstreams));
  await Deno.writeTextFile(secret, "marker-one\n");
  await write({ api: { baseUrl: server.origin, headers } });
  await using service = await startProcess({
    ALLOW_HOSTS: "",
    UPSTREAMS: json,
    UPSTREAM_KEY: "marker-env",
  });
  await using client = await connectV1(service.url);
  const ask = async (name = "api"): Promise<unknown> => {
    const { code, json } = await client.ask({ type: "request", id: 1, url: `${name}:/x` });
    return code ?? json;
  };
  assertEquals(await ask(), ["marker-one", "marker-env"]);
  client.send({ type: "request", id: 2, url: "api:/slow" });
  await came.promise;

  await Deno.writeTextFile(secret, "marker-two");
  await write({
    api: { baseUrl: `${server.origin}/v2`, headers },
    second: { baseUrl: server.origin, headers },
  });
  service.kill("SIGHUP");
  const { upstreams } = await service.log.logged("reloaded");
  assertEquals(upstreams, ["api", "second"]);
  assertEquals(await ask(), ["marker-two", "marker-env"]);
  assertEquals(server.requests.at(-1), `GET ${server.origin}/v2/x`);
  assertEquals(await ask("second"), ["marker-two", "marker-env"]);
  await using later = await connect(service.url, ["wsfetch.v1"]);
  assertEquals((await later.next()).upstreams, ["api", "second"]);

  const broken: (() => Promise<void>)[] = [
    () => Deno.writeTextFile(json, '{"api": marker}'), // what JSON.parse would quote
    () => Deno.writeTextFile(json, '{"api": {"headers": {"x": "marker-inline"}'),
    () => write({ api: { baseUrl: "marker-base", headers } }),
    () => write({ api: { baseUrl: server.origin, headers: { x: "marker-${" } } }),
    () => write(["marker-list"]),
    () => Deno.remove(json),
    async () => {
      await write({ api: { baseUrl: server.origin, headers } });
      await Deno.remove(secret);
    },
  ];
  for (const [index, breakIt] of broken.entries()) {
    await breakIt();
    service.kill("SIGHUP");
    const { error } = await service.log.logged("failed", isNth(index + 1, () => true));
    assertMatch(String(error), /UPSTREAMS: /);
    assert(!String(error).includes("marker"), String(error));
    assertEquals(await ask(), ["marker-two", "marker-env"]);
  }

  await write({ second: { baseUrl: server.origin } });
  service.kill("SIGHUP");
  await service.log.logged("reloaded", isNth(2, () => true));
  assertEquals(await ask(), "unknown_upstream");
  gate.resolve();
  const finished = await client.next();
  assertEquals([finished.id, finished.json], [2, ["marker-one", "marker-env"]]);
  assertEquals([finished.url, headersOf(finished)["x-echo"]], ["api:/slow", "[redacted]"]);
  assert(!JSON.stringify(service.log.lines).includes("marker"), "no secret was logged");
  service.kill("SIGTERM");
  assertEquals((await service.status).code, 0);
});

Deno.test("upstreams that cannot be used end the start with 2 and a line for each problem", async () => {
  const { code, stdout, stderr } = await startCommand({
    UPSTREAM_KEY: "marker-env\u0001",
    UPSTREAMS: JSON.stringify({
      api: { baseUrl: "https://user:marker@api.example.com", headers: { "x-a": "marker-${oops}" } },
      B: { baseUrl: "https://api.example.com", headers: { "x-b": "${env:NOT_SET}" } },
      third: {
        baseUrl: "https://api.example.com",
        headers: { authorization: "Bearer ${env:UPSTREAM_KEY}" },
        timeoutMs: "marker",
        "marker odd": 1,
      },
    }),
  }).output();
  assertEquals([code, stdout.length], [2, 0]);
  const text = new TextDecoder().decode(stderr);
  const lines = text.trimEnd().split("\n");
  assertEquals(lines.map((line) => line.replace(/^UPSTREAMS: (\S+) .*$/, "$1")).toSorted(), [
    "B",
    "B.headers.x-b",
    "api.baseUrl",
    "api.headers.x-a",
    "third.(an",
    "third.headers.authorization",
    "third.timeoutMs",
  ]);
  assert(!text.includes("marker"), text);

  const missing = await startCommand({ UPSTREAMS: "/nowhere/upstreams.json" }).output();
  assertEquals(missing.code, 2);
  assertMatch(
    new TextDecoder().decode(missing.stderr),
    /^UPSTREAMS: the file "\/nowhere\/upstreams.json" cannot be read \(NotFound\)\n$/,
  );
});

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  connect,
  connectPlain,
  connectV1,
  type Frame,
  type TestClient,
} from "../helpers/client.ts";
import {
  askEach,
  bodyOf,
  FILE_SECRET,
  HEADERS,
  headersOf,
  INJECTED,
  isNth,
  pick,
  request,
  startEcho,
  startWith,
  statusOf,
  TOKEN,
} from "../helpers/named_upstreams.ts";
import type { Service } from "../helpers/service.ts";
import { latin1, startHttp, startRaw } from "../helpers/upstream.ts";

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
        x_api_key: "mine",
        "X_Api-Key": "mine",
        x_inline: "mine",
        "x.basic": "mine",
        "x-other": "kept",
      },
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
      const spelt = Object.keys(bodyOf(answer)).filter((name) => /[_.]/.test(name));
      assertEquals(spelt, [], "no spelling that a server may take for a field of ours");
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

const OVERRIDES = ["x-http-method-override", "X-HTTP-Method", "x_method_override", "X_Http_Method"];

Deno.test("a method that an upstream may use instead has to be allowed", async () => {
  await using server = startEcho();
  const api = { baseUrl: server.origin, methods: ["GET", "POST"] };
  await using service = startWith({ api });
  await using client = await connectV1(service.url);
  for (const name of OVERRIDES) {
    for (const [value, code] of [["get", undefined], ["DELETE", "http_request_denied"]]) {
      const made = server.requests.length;
      const answer = await client.ask(request("/", { method: "POST", headers: { [name]: value } }));
      assertEquals([name, answer.code], [name, code]);
      assertEquals(server.requests.length, code === undefined ? made + 1 : made);
    }
  }
});

Deno.test("a method that a destination may use instead has to be one of ALLOW_METHODS", async () => {
  await using server = startEcho();
  const settings = { ALLOW_HOSTS: "127.0.0.1:*", ALLOW_METHODS: "GET,POST" };
  await using service = startWith({}, settings);
  await using client = await connectV1(service.url);
  for (const name of OVERRIDES) {
    const frame = { type: "request", id: 1, url: server.origin, method: "POST" };
    const answer = await client.ask({ ...frame, headers: { [name]: "DELETE" } });
    assertEquals([answer.code, server.requests.length], ["unsupported_method", 0]);
  }
});

Deno.test("fields that name another path are not sent to an upstream", async () => {
  await using server = startEcho();
  const settings = { ALLOW_HOSTS: "127.0.0.1:*" };
  await using service = startWith({ api: { baseUrl: `${server.origin}/v1` } }, settings);
  await using client = await connectV1(service.url);
  const headers = { "X-Original-URL": "/admin", x_rewrite_url: "/admin", "x-url": "/x" };
  const answer = await client.ask(request("/x", { headers }));
  assertEquals(Object.keys(bodyOf(answer)).filter((name) => /url/i.test(name)), ["x-url"]);
  const elsewhere = { type: "request", id: 2, url: server.origin, headers };
  const names = Object.keys(bodyOf(await client.ask(elsewhere)));
  assertEquals(names.filter((name) => /url/i.test(name)).length, 3);
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

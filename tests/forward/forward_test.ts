import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { abortable } from "@std/async/abortable";
import type { Forward, ForwardOptions, ForwardRequest, Route } from "../../src/forward/forward.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createForwardClient, type HttpClientName, testEach } from "../helpers/http_clients.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";

const certificates = new URL("../helpers/certificates/", import.meta.url);
const [cert, key, ca] = ["localhost.pem", "localhost.key", "ca.pem"].map((name) =>
  Deno.readTextFileSync(new URL(name, certificates))
) as [string, string, string];

interface Asked extends Partial<Omit<ForwardRequest, "url">>, Partial<ForwardOptions> {}
type Fetched = Awaited<ReturnType<Forward>> & { readonly text: string | null };

/** Makes one request with a client of its own, to the end of the body. */
async function request(
  by: HttpClientName,
  url: string | URL,
  asked: Asked = {},
): Promise<Fetched> {
  using client = createForwardClient(by, [ca]);
  const { check = () => ({}), signal = new AbortController().signal, ...rest } = asked;
  const blank = { method: "GET", headers: [], body: null, redirect: "follow" } as const;
  const response = await client.forward({ ...blank, url: new URL(url), ...rest }, {
    check,
    signal,
  });
  const bytes = await response.bytes(1000);
  return { ...response, text: bytes && new TextDecoder().decode(bytes) };
}

/** The error of a request that fails. */
async function failure(
  by: HttpClientName,
  url: string | URL,
  asked: Asked = {},
): Promise<ProxyError> {
  return await assertRejects(() => request(by, url, asked), ProxyError);
}

function redirect(status: number, location: string): Response {
  return new Response(null, { status, headers: { location } });
}

testEach(
  "createForward() connects to the address that was checked, and says the name in host",
  async (by) => {
    await using upstream = startHttp((request) =>
      Response.json(Object.fromEntries(request.headers))
    );
    const url = `http://name.invalid:${upstream.port}/path?query`;
    const { text, ...response } = await request(by, url, {
      check: () => ({ addresses: ["127.0.0.1"] }),
      headers: [["Host", "evil.invalid"], ["x-kept", "1"]],
    });
    const { host, "x-kept": kept } = JSON.parse(text ?? "");
    assertEquals([host, kept, response.url], [`name.invalid:${upstream.port}`, "1", url]);
  },
);

testEach("createForward() leaves the host to fetch where the host is an address", async (by) => {
  await using upstream = startHttp((request) => new Response(request.headers.get("host")));
  const { text } = await request(by, upstream.origin, { headers: [["host", "evil.invalid"]] });
  assertEquals(text, `127.0.0.1:${upstream.port}`);
});

testEach("createForward() connects to an IPv6 address that was checked", async (by) => {
  await using upstream = startHttp(() => new Response("v6"), { hostname: "::1" });
  const url = `http://name.invalid:${upstream.port}/`;
  assertEquals((await request(by, url, { check: () => ({ addresses: ["::1"] }) })).text, "v6");
});

testEach("createForward() goes on to the next address only when nothing was sent", async (by) => {
  await using upstream = startHttp(() => new Response("here"));
  await using closing = startRaw(async (connection) => {
    await connection.readHead();
    connection.close();
  });
  const refused = ["127.0.0.3", "127.0.0.4"]; // nothing listens there
  const url = `http://name.invalid:${upstream.port}/`;
  const check = () => ({ addresses: [...refused, "127.0.0.1"] });
  assertEquals((await request(by, url, { check, method: "POST" })).text, "here");
  const none = await failure(by, url, { check: () => ({ addresses: refused }) });
  assertEquals([none.code, none.sent], ["connection_refused", "no"]);
  const closed = await failure(by, `http://name.invalid:${closing.port}/`, {
    check: () => ({ addresses: ["127.0.0.1", "127.0.0.1"] }),
  });
  assertEquals([closed.code, closing.connections()], ["connection_terminated", 1]);
});

testEach("createForward() refuses a hop without an address", async (by) => {
  const { code, sent } = await failure(by, "http://name.invalid/", {
    check: () => ({ addresses: [] }),
  });
  assertEquals([code, sent], ["dns_error", "no"]);
});

testEach(
  "createForward() leaves the name in an https URL, whose certificate has to match it",
  async (by) => {
    await using upstream = startHttp(({ url }) => new Response(new URL(url).host), { cert, key });
    const url = `https://localhost:${upstream.port}/`;
    const check = () => ({ addresses: ["127.0.0.3"] }); // where nothing listens
    const { text } = await request(by, url, { check, headers: [["host", "evil.invalid"]] });
    assertEquals(text, `localhost:${upstream.port}`);
  },
);

testEach(
  "createForward() gives the response's head as it came, less what was meant for this hop",
  async (by) => {
    await using upstream = startRaw(async (connection) => {
      await connection.readHead();
      const fields =
        "X-Two: 1\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nx-two: 2\r\nproxy-status: x\r\n";
      await connection.write(
        `HTTP/1.1 404 Nowhere\r\n${fields}connection: x-hop\r\nx-hop: 1\r\n\r\nbody`,
      );
      connection.close();
    });
    for (const fragment of ["", "#", "#a?b"]) {
      const { status, statusText, url, redirected, headers, text } = await request(
        by,
        `${upstream.origin}/?q${fragment}`,
      );
      // Deno's fetch says what the status usually says; and it sorts and joins fields.
      const [phrase, fields] = by === "direct"
        ? ["Nowhere", [["x-two", "1"], ["set-cookie", "a=1"], ["set-cookie", "b=2"], [
          "x-two",
          "2",
        ]]]
        : ["Not Found", [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-two", "1, 2"]]];
      assertEquals([status, statusText, redirected, text], [404, phrase, false, "body"]);
      assertEquals(url, `${upstream.origin}/?q`);
      assertEquals(headers, fields);
    }
  },
);

const UNSENDABLE = [
  { name: "a URL too long", input: `http://127.0.0.1/?${"a".repeat(70_000)}`, headers: [] },
  { name: "a host with a brace", input: "http://a{b.invalid/", headers: [] },
  {
    name: "a field name too long",
    input: "http://x.invalid/",
    headers: [["a".repeat(70_000), ""]],
  },
  { name: "a field name that is none", input: "http://x.invalid/", headers: [["a b", ""]] },
] as const;

for (const { name, input, headers } of UNSENDABLE) {
  testEach(`createForward() refuses what the HTTP client cannot send: ${name}`, async (by) => {
    const { code, sent, message, cause } = await failure(by, input, { headers });
    assertEquals([code, sent, cause], ["bad_request", "no", undefined]);
    assertEquals(message.includes("aaaa"), false);
  });
}

const REDIRECT = "HTTP/1.1 307 \r\nlocation: /x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const ABORTED = [
  { name: "while the hop is checked", input: "check 1", expected: 0 },
  { name: "before the head", input: "head 1", expected: 1 },
  { name: "while the next hop is checked", input: "check 2", expected: 1 },
  { name: "before the head of the next hop", input: "head 2", expected: 2 },
];

for (const { name, input, expected } of ABORTED) {
  testEach(`createForward() ends with the signal's reason when aborted ${name}`, async (by) => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const counts = { check: 0, head: 0 };
    const reach = (stage: "check" | "head"): void => {
      if (`${stage} ${++counts[stage]}` === input) controller.abort(reason);
    };
    await using upstream = startRaw(async (connection) => {
      await connection.readHead();
      reach("head");
      if (!controller.signal.aborted) await connection.write(REDIRECT);
      await connection.peerClosed();
    });
    const check = () => {
      reach("check");
      return {};
    };
    const asked = { check, signal: controller.signal, method: "POST" };
    assertStrictEquals(await assertRejects(() => request(by, upstream.origin, asked)), reason);
    assertEquals(counts.head, expected);
  });
}

const METHODS = ["GET", "HEAD", "POST", "PUT"] as const;
const REWRITTEN = [
  { name: 301, expected: ["GET", "HEAD", "GET", "PUT text/x body"] },
  { name: 302, expected: ["GET", "HEAD", "GET", "PUT text/x body"] },
  { name: 303, expected: ["GET", "HEAD", "GET", "GET"] },
  { name: 307, expected: ["GET", "HEAD", "POST text/x body", "PUT text/x body"] },
  { name: 308, expected: ["GET", "HEAD", "POST text/x body", "PUT text/x body"] },
];

for (const { name, expected } of REWRITTEN) {
  testEach(
    `createForward() follows ${name} with the method and body that Fetch says`,
    async (by) => {
      const made: string[] = [];
      await using upstream = startHttp(async (request) => {
        if (request.url.endsWith("/from")) return redirect(name, "/to");
        const { headers } = request;
        const parts = [
          headers.get("content-type"),
          headers.get("content-language"),
          await request.text(),
        ];
        made.push([request.method, ...parts.filter(Boolean)].join(" "));
        return new Response();
      });
      for (const method of METHODS) {
        const body = method.startsWith("P") ? new TextEncoder().encode("body") : null;
        const headers = body === null ? [] : [["Content-Type", "text/x"] as const];
        const { redirected, url } = await request(by, `${upstream.origin}/from`, {
          method,
          body,
          headers,
        });
        assertEquals([redirected, url], [true, `${upstream.origin}/to`]);
      }
      assertEquals(made, expected);
    },
  );
}

testEach(
  "createForward() gives a redirect to who wants it, and an error to who wants none",
  async (by) => {
    await using upstream = startHttp(() => redirect(302, "/to"));
    const manual = await request(by, upstream.origin, { redirect: "manual" });
    const location = manual.headers.find(([name]) => name === "location")?.[1];
    assertEquals([manual.status, manual.redirected, location], [302, false, "/to"]);
    const error = await failure(by, upstream.origin, { redirect: "error", method: "PUT" });
    assertEquals([error.code, error.sent, error.retryable], ["too_many_redirects", "yes", false]);
    assertEquals(upstream.requests.length, 2);
  },
);

testEach("createForward() takes a 3xx for a response when it is no redirect", async (by) => {
  const statuses = [300, 304, 305, 306];
  await using upstream = startHttp(({ url }) =>
    new Response(null, {
      status: Number(new URL(url).pathname.slice(1)),
      headers: { location: "/302" },
    })
  );
  for (const status of statuses) {
    assertEquals((await request(by, `${upstream.origin}/${status}`)).status, status);
  }
  await using without = startHttp(() => new Response("no location", { status: 302 }));
  assertEquals((await request(by, without.origin)).text, "no location");
});

testEach("createForward() follows ten redirects and not eleven, nor a loop", async (by) => {
  await using upstream = startHttp(({ url }) => {
    const left = Number(new URL(url).pathname.slice(1));
    return left > 0 ? redirect(302, `/${left - 1}`) : new Response("end");
  });
  assertEquals((await request(by, `${upstream.origin}/10`)).text, "end");
  assertEquals((await failure(by, `${upstream.origin}/11`)).code, "too_many_redirects");
  assertEquals(upstream.requests.length, 11 + 11);
  await using loop = startHttp(() => redirect(307, ""));
  assertEquals((await failure(by, loop.origin)).message, "More than 10 redirects");
  assertEquals(loop.requests.length, 11);
});

const LOCATIONS = [
  { name: "a relative path", input: "../c?d", expected: "/c?d" },
  { name: "a path from the root", input: "/c", expected: "/c" },
  { name: "a query", input: "?c", expected: "/a/b?c" },
  { name: "a fragment, which is not sent", input: "/c#d", expected: "/c" },
  { name: "a URL without its scheme", input: "//127.0.0.1:PORT/c", expected: "/c" },
  { name: "backslashes and blanks", input: "\\\\127.0.0.1:PORT\\c d", expected: "/c%20d" },
];

for (const { name, input, expected } of LOCATIONS) {
  testEach(`createForward() follows a location that is ${name}`, async (by) => {
    await using upstream = startHttp(({ url }) =>
      redirect(url.endsWith("/a/b") ? 302 : 200, input.replace("PORT", String(upstream.port)))
    );
    const { url } = await request(by, `${upstream.origin}/a/b#x`);
    assertEquals([url, upstream.requests.length], [upstream.origin + expected, 2]);
  });
}

testEach(
  "createForward() refuses a location that is no URL, and one from https to http",
  async (by) => {
    await using upstream = startHttp(() => redirect(302, "http://[/"));
    const invalid = await failure(by, upstream.origin, { method: "POST" });
    assertEquals([invalid.code, invalid.sent, invalid.retryable], [
      "http_protocol_error",
      "yes",
      false,
    ]);
    await using secure = startHttp(() => redirect(307, upstream.origin), { cert, key });
    const checked: string[] = [];
    const down = await failure(by, `https://localhost:${secure.port}/`, {
      check(url): Route {
        checked.push(url.protocol);
        return {};
      },
    });
    assertEquals([down.code, down.sent, down.retryable], ["http_request_denied", "yes", false]);
    assertEquals([checked, upstream.requests.length], [["https:"], 1]);
  },
);

testEach(
  "createForward() keeps credentials on a redirect within the origin, and there alone",
  async (by) => {
    await using other = startHttp(({ headers }) => Response.json(Object.fromEntries(headers)));
    await using upstream = startHttp(({ url, headers }) => {
      if (url.endsWith("/other")) return redirect(307, other.origin);
      return url.endsWith("/") ? redirect(307, "/in") : Response.json(Object.fromEntries(headers));
    });
    const credentials = ["authorization", "cookie", "x-api-key", "x-auth-token"];
    const headers = [...credentials, "idempotency-key", "x-other"].map((name) =>
      [name, "1"] as const
    );
    const arrived = async (path: string) => {
      const { text } = await request(by, upstream.origin + path, { headers });
      return headers.filter(([name]) => name in JSON.parse(text ?? "")).map(([name]) => name);
    };
    assertEquals(await arrived("/"), headers.map(([name]) => name));
    assertEquals(await arrived("/other"), ["idempotency-key", "x-other"]);
  },
);

testEach(
  "createForward() asks before every hop, and connects nowhere that was denied",
  async (by) => {
    await using upstream = startHttp(({ url }) =>
      redirect(302, url.endsWith("/1") ? "/2" : "file:///etc/passwd")
    );
    for (const [method, retryable] of [["GET", true], ["POST", false]] as const) {
      const checked: string[] = [];
      const error = await failure(by, `${upstream.origin}/1`, {
        method,
        check(url): Route {
          checked.push(url.href);
          if (url.protocol === "file:") throw new ProxyError("dns_error", "denied");
          return {};
        },
      });
      assertEquals(checked, [`${upstream.origin}/1`, `${upstream.origin}/2`, "file:///etc/passwd"]);
      // The code alone would say "no": by then the first hops have been made.
      assertEquals([error.message, error.sent, error.retryable], ["denied", "yes", retryable]);
    }
    const denied = new ProxyError("destination_ip_prohibited", "denied");
    const check = () => Promise.reject(denied);
    assertStrictEquals(await failure(by, upstream.origin, { check }), denied);
    assertEquals(upstream.requests.length, 4);
  },
);

testEach(
  "createForward() lets go of a redirect's body before it makes the next hop",
  async (by) => {
    const closed = Promise.withResolvers<void>();
    await using upstream = startRaw(async (connection) => {
      const isFirst = (await connection.readHead()).startsWith("GET / ");
      const head = isFirst ? "302 Found\r\nlocation: /x" : "200 OK";
      await connection.write(
        `HTTP/1.1 ${head}\r\ncontent-length: 3\r\n\r\n${isFirst ? "ab" : "end"}`,
      );
      await connection.peerClosed();
      closed.resolve();
    });
    const check = async (url: URL): Promise<Route> => {
      if (url.pathname === "/x") await abortable(closed.promise, AbortSignal.timeout(10_000));
      return {};
    };
    assertEquals((await request(by, upstream.origin, { check })).text, "end");
  },
);

// Whether the request may be sent again, by its method and the status of the redirect.
const LOST = [
  { name: "of a GET", method: "GET", status: 307, retryable: true },
  { name: "of a POST that stays one", method: "POST", status: 307, retryable: false },
  { name: "of a POST that becomes a GET", method: "POST", status: 303, retryable: false },
];

for (const { name, method, status, retryable } of LOST) {
  testEach(
    `createForward() says that a request was sent when nothing answers the second hop ${name}`,
    async (by) => {
      await using upstream = startRaw(async (connection) => {
        const isFirst = (await connection.readHead()).includes(" / ");
        if (isFirst) await connection.write(REDIRECT.replace("307", String(status)));
        connection.close();
      });
      const error = await failure(by, upstream.origin, { method });
      assertEquals([error.code, error.sent, error.retryable], [
        "connection_terminated",
        "yes", // by itself the hop would say "maybe"
        retryable,
      ]);
      assertEquals(upstream.connections(), 2);
    },
  );
}

testEach(
  "createForward() judges a response that broke off by the method of the request",
  async (by) => {
    await using upstream = startRaw(async (connection) => {
      const isFirst = (await connection.readHead()).startsWith("POST");
      const rest = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
      await connection.write(isFirst ? REDIRECT.replace("307", "303") : rest);
      connection.close();
    });
    const { code, sent, retryable } = await failure(by, upstream.origin, { method: "POST" });
    assertEquals([code, sent, retryable], ["http_response_incomplete", "yes", false]);
  },
);

const CUT = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
const GZIP = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc";
const BROKEN = [
  { name: "breaks off", input: CUT, maxBytes: 9, expected: "http_response_incomplete" },
  { name: "is larger than allowed", input: CUT, maxBytes: 2, expected: "http_response_body_size" },
  { name: "is not gzip", input: GZIP, maxBytes: 9, expected: "http_response_content_coding" },
];

/** Makes one request and gives its chunks, copied, as one text. */
async function stream(
  by: HttpClientName,
  url: string,
  { maxBytes = 1000, controller = new AbortController(), taken = () => {}, method = "GET" } = {},
): Promise<{ text: string | null; length: number | undefined }> {
  using client = createForwardClient(by);
  const response = await client.forward(
    { method, url: new URL(url), headers: [], body: null, redirect: "follow" },
    { check: () => ({}), signal: controller.signal },
  );
  const { length } = response;
  const chunks = response.chunks(maxBytes);
  if (chunks === null) return { text: null, length };
  let text = "";
  for await (const chunk of chunks) {
    text += new TextDecoder("latin1").decode(chunk);
    taken();
  }
  return { text, length };
}

for (const { name, input, maxBytes, expected } of BROKEN) {
  testEach(`chunks() throws what has happened when the body ${name}`, async (by) => {
    await using upstream = startRaw(async (connection) => {
      await connection.readHead();
      await connection.write(input);
      connection.close();
    });
    const error = await assertRejects(() => stream(by, upstream.origin, { maxBytes }), ProxyError);
    assertEquals([error.code, error.sent], [expected, "yes"]);
  });
}

testEach("chunks() ends with the signal's reason, and the request with it", async (by) => {
  const closed = Promise.withResolvers<void>();
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(CUT);
    await connection.peerClosed();
    closed.resolve();
  });
  const controller = new AbortController();
  const reason = new Error("enough");
  const taken = () => controller.abort(reason);
  const thrown = await assertRejects(() => stream(by, upstream.origin, { controller, taken }));
  assertStrictEquals(thrown, reason);
  await closed.promise;
});

const LENGTHS = [
  { name: "of a body that says it", head: "content-length: 3\r\n", text: "abc", length: 3 },
  { name: "not known of chunks", head: "transfer-encoding: chunked\r\n", text: "abc" },
  { name: "not known to the end of the connection", head: "", text: "abc" },
  { name: "nothing of a HEAD", method: "HEAD", head: "content-length: 3\r\n", length: 0 },
  { name: "nothing of a 204", status: 204, head: "", length: 0 },
];

for (const { name, head, length, text = null, method = "GET", status = 200 } of LENGTHS) {
  testEach(`length is ${name}, and chunks() gives as much`, async (by) => {
    await using upstream = startRaw(async (connection) => {
      await connection.readHead();
      const body = head.startsWith("transfer") ? "3\r\nabc\r\n0\r\n\r\n" : text ?? "";
      await connection.write(`HTTP/1.1 ${status} \r\nconnection: close\r\n${head}\r\n${body}`);
      connection.close();
    });
    assertEquals(await stream(by, upstream.origin, { method }), { text, length });
  });
}

function streamed(...texts: string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(texts.map((text) => new TextEncoder().encode(text)));
}

testEach(
  "createForward() streams a body once: to the first address that fetch is given, or that is there",
  async (by) => {
    await using upstream = startHttp(async (request) => new Response(await request.text()));
    const url = `http://name.invalid:${upstream.port}/`;
    const send = (addresses: string[]) =>
      ({ method: "PUT", body: streamed("a", "b"), check: () => ({ addresses }) }) as const;
    assertEquals((await request(by, url, send(["127.0.0.1"]))).text, "ab");
    const addresses = ["127.0.0.3", "127.0.0.1"]; // nothing listens at the first
    if (by === "direct") {
      assertEquals((await request(by, url, send(addresses))).text, "ab");
    } else {
      const error = await failure(by, url, send(addresses));
      assertEquals([error.code, error.sent, error.retryable], ["connection_refused", "no", true]);
    }
    assertEquals(upstream.requests.length, by === "direct" ? 2 : 1);
  },
);

testEach(
  "createForward() follows a redirect that drops a streamed body, and none that asks for it again",
  async (by) => {
    await using upstream = startHttp(async (request) => {
      await request.text();
      const status = Number(new URL(request.url).pathname.slice(1));
      return status === 0 ? new Response(request.method) : redirect(status, "/0");
    });
    for (const [method, status] of [["POST", 302], ["PUT", 303]] as const) {
      const url = `${upstream.origin}/${status}`;
      assertEquals((await request(by, url, { method, body: streamed("a") })).text, "GET");
    }
    for (const [method, status] of [["POST", 307], ["PUT", 302], ["PUT", 308]] as const) {
      const url = `${upstream.origin}/${status}`;
      const error = await failure(by, url, { method, body: streamed("a") });
      assertEquals([error.code, error.sent, error.retryable], ["too_many_redirects", "yes", false]);
      assertEquals(error.message.includes("was streamed"), true);
    }
  },
);

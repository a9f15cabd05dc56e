import { assertEquals, assertStrictEquals } from "@std/assert";
import { abortable } from "@std/async/abortable";
import type { Route } from "../../src/forward/hop.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { testEach } from "../helpers/http_clients.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";
import { CERTIFICATE, failure, REDIRECT, redirect, request } from "./make_request.ts";

const { cert, key } = CERTIFICATE;

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
    `forward() follows ${name} with the method and body that Fetch prescribes`,
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

const HIGH_BYTES = [
  { name: "UTF-8", input: "/caf\xc3\xa9", expected: "/caf%C3%A9" },
  { name: "Latin-1", input: "/caf\xe9", expected: "/caf%E9" },
];

for (const { name, input, expected } of HIGH_BYTES) {
  testEach(`forward() follows a location in ${name} as Chromium does`, async (by) => {
    const paths: string[] = [];
    await using upstream = startRaw(async (connection) => {
      for (
        let head = await connection.readHead();
        head !== "";
        head = await connection.readHead()
      ) {
        paths.push(head.split(" ", 2)[1] ?? "");
        const isFirst = paths.length === 1;
        const start = isFirst ? `302 Found\r\nlocation: ${input}` : "200 OK";
        await connection.write(`HTTP/1.1 ${start}\r\ncontent-length: 0\r\n\r\n`);
      }
    });
    const { url } = await request(by, upstream.origin);
    assertEquals([paths, url], [["/", expected], `${upstream.origin}${expected}`]);
  });
}

testEach(
  "forward() returns a redirect or fails with it when the request says so",
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

testEach("forward() returns a 3xx that is not a redirect", async (by) => {
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

testEach("forward() follows ten redirects but not eleven, and no loop", async (by) => {
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
  { name: "a path with a fragment, which is not sent", input: "/c#d", expected: "/c" },
  { name: "a URL without its scheme", input: "//127.0.0.1:PORT/c", expected: "/c" },
  { name: "backslashes and blanks", input: "\\\\127.0.0.1:PORT\\c d", expected: "/c%20d" },
];

for (const { name, input, expected } of LOCATIONS) {
  testEach(`forward() follows a location that is ${name}`, async (by) => {
    await using upstream = startHttp(({ url }) =>
      redirect(url.endsWith("/a/b") ? 302 : 200, input.replace("PORT", String(upstream.port)))
    );
    const { url } = await request(by, `${upstream.origin}/a/b#x`);
    assertEquals([url, upstream.requests.length], [upstream.origin + expected, 2]);
  });
}

testEach(
  "forward() fails when a location is not a URL or leads from https to http",
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
  "forward() keeps an application's own fields only on a redirect within the origin",
  async (by) => {
    await using other = startHttp(({ headers }) => Response.json(Object.fromEntries(headers)));
    await using upstream = startHttp(({ url, headers }) => {
      if (url.endsWith("/other")) return redirect(307, other.origin);
      return url.endsWith("/") ? redirect(307, "/in") : Response.json(Object.fromEntries(headers));
    });
    const own = ["authorization", "cookie", "x-api-key", "sessionid", "x-passwd", "x-other"];
    const headers = [...own, "idempotency-key"].map((name) => [name, "1"] as const);
    const arrived = async (path: string) => {
      const { text } = await request(by, upstream.origin + path, { headers });
      return headers.filter(([name]) => name in JSON.parse(text ?? "")).map(([name]) => name);
    };
    assertEquals(await arrived("/"), headers.map(([name]) => name));
    assertEquals(await arrived("/other"), ["idempotency-key"]);
  },
);

testEach(
  "forward() checks every hop before it connects",
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
      // By its code alone the error would say "no", but the first hops have been made.
      assertEquals([error.message, error.sent, error.retryable], ["denied", "yes", retryable]);
    }
    const denied = new ProxyError("destination_ip_prohibited", "denied");
    const check = () => Promise.reject(denied);
    assertStrictEquals(await failure(by, upstream.origin, { check }), denied);
    assertEquals(upstream.requests.length, 4);
  },
);

testEach(
  "forward() discards the body of a redirect before it makes the next hop",
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

// Whether the request may be repeated, by its method and the status of the redirect.
const LOST = [
  { name: "of a GET", method: "GET", status: 307, retryable: true },
  { name: "of a POST that remains a POST", method: "POST", status: 307, retryable: false },
  { name: "of a POST that becomes a GET", method: "POST", status: 303, retryable: false },
];

for (const { name, method, status, retryable } of LOST) {
  testEach(
    `forward() says that a request was sent when the second hop ${name} gets no response`,
    async (by) => {
      await using upstream = startRaw(async (connection) => {
        const isFirst = (await connection.readHead()).includes(" / ");
        if (isFirst) await connection.write(REDIRECT.replace("307", String(status)));
        connection.close();
      });
      const error = await failure(by, upstream.origin, { method });
      assertEquals([error.code, error.sent, error.retryable], [
        "connection_terminated",
        "yes", // the second hop alone would say "maybe"
        retryable,
      ]);
      assertEquals(upstream.connections(), 2);
    },
  );
}

testEach(
  "forward() derives retryable from the method of the request when a body breaks off",
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

testEach(
  "forward() follows a redirect that drops a streamed body, and none that needs it again",
  async (by) => {
    await using upstream = startHttp(async (request) => {
      await request.text();
      const status = Number(new URL(request.url).pathname.slice(1));
      return status === 0 ? new Response(request.method) : redirect(status, "/0");
    });
    for (const [method, status] of [["POST", 302], ["PUT", 303]] as const) {
      const url = `${upstream.origin}/${status}`;
      assertEquals(
        (await request(by, url, { method, body: ReadableStream.from([new Uint8Array(1)]) })).text,
        "GET",
      );
    }
    for (const [method, status] of [["POST", 307], ["PUT", 302], ["PUT", 308]] as const) {
      const url = `${upstream.origin}/${status}`;
      const error = await failure(by, url, {
        method,
        body: ReadableStream.from([new Uint8Array(1)]),
      });
      assertEquals([error.code, error.sent, error.retryable], ["too_many_redirects", "yes", false]);
      assertEquals(error.message.includes("was streamed"), true);
    }
  },
);

/**
 * Abuse. Every attempt is made against a canary: a server that must not be reached, and that is reached
 * once the operator allows it, so that no attempt is harmless by accident.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { createResolver } from "../src/policy/resolver.ts";
import { connectPlain, connectV1, type Frame } from "./helpers/client.ts";
import { type Service, startService } from "./helpers/service.ts";
import { startHttp, startRaw } from "./helpers/upstream.ts";

/** Requests one URL in the plain dialect. */
async function ask(service: Service, fields: Record<string, unknown>): Promise<Frame> {
  await using client = await connectPlain(service.url);
  return await client.ask({ method: "GET", ...fields });
}

interface Spelling {
  readonly url: (port: number) => string;
  readonly code: string;
  /** Whether the URL leads to the canary when 127.0.0.1 and localhost are allowed. */
  readonly reaches: boolean;
}

const prohibited = (host: string, reaches: boolean): Spelling => ({
  url: (port) => `http://${host}:${port}/`,
  code: "destination_ip_prohibited",
  reaches,
});
const denied = (url: (port: number) => string, reaches = false): Spelling => ({
  url,
  code: "http_request_denied",
  reaches,
});

const SPELLINGS: Readonly<Record<string, Spelling>> = {
  "the address": prohibited("127.0.0.1", true),
  "a decimal number": prohibited("2130706433", true),
  "a hexadecimal number": prohibited("0x7f000001", true),
  "an octal part": prohibited("0177.0.0.1", true),
  "two parts": prohibited("127.1", true),
  "zero": prohibited("0", false),
  "the end of the loopback range": prohibited("127.255.255.254", false),
  "full-width digits": prohibited("１２７.０.０.１", true),
  "circled digits": prohibited("①②⑦.⓪.⓪.①", true),
  "an ideographic full stop": prohibited("127。0。0。1", true),
  "a percent-encoded host": prohibited("%31%32%37.0.0.1", true),
  "a trailing dot": prohibited("127.0.0.1.", true),
  "an IPv4-mapped address": prohibited("[::ffff:127.0.0.1]", true),
  "an IPv4-mapped address in hexadecimal": prohibited("[::ffff:7f00:1]", true),
  "an IPv4-compatible address": prohibited("[::127.0.0.1]", false),
  "a NAT64 address": prohibited("[64:ff9b::7f00:1]", false),
  "a 6to4 address": prohibited("[2002:7f00:1::]", false),
  "the unspecified address": prohibited("[::]", false),
  "the IPv6 loopback address": prohibited("[::1]", false),
  "a link-local address": prohibited("[fe80::1]", false),
  "an IPv6 metadata service": prohibited("[fd00:ec2::254]", false),
  "the metadata service": prohibited("169.254.169.254", false),
  "a cloud's wire server": prohibited("168.63.129.16", false),
  "tabs and newlines": {
    ...prohibited("", true),
    url: (port) => `\n ht\ttp://127.0\n.0.1:${port}/ `,
  },
  "a fragment that looks like a host": {
    ...prohibited("", true),
    url: (port) => `http://127.0.0.1:${port}#@api.example.com/`,
  },
  "backslashes for slashes": {
    ...prohibited("", true),
    url: (port) => `http:\\\\127.0.0.1:${port}\\`,
  },
  "localhost": denied((port) => `http://localhost:${port}/`, true),
  "localhost in capitals with a dot": denied((port) => `http://LOCALHOST.:${port}/`, true),
  "a subdomain of localhost": denied((port) => `http://x.localhost:${port}/`),
  "a single label": denied((port) => `http://intranet:${port}/`),
  "a .local name": denied((port) => `http://printer.local:${port}/`),
  "a .internal name": denied((port) => `http://metadata.google.internal:${port}/`),
  "a home network's name": denied((port) => `http://nas.home.arpa:${port}/`),
  "a user before the host": denied((port) => `http://api.example.com@127.0.0.1:${port}/`),
  "a user and a password": denied((port) => `http://a:b@127.0.0.1:${port}/`),
  "a backslash before the host": denied((port) => `http://x\\@127.0.0.1:${port}/`),
  "port 0": denied(() => "http://127.0.0.1:0/"),
  "a file": denied(() => "file:///etc/passwd"),
  "a data URL": denied(() => "data:text/plain,secret"),
  "a blob URL": denied(() => "blob:http://127.0.0.1/x"),
  "ftp": denied((port) => `ftp://127.0.0.1:${port}/`),
  "a WebSocket": denied((port) => `ws://127.0.0.1:${port}/`),
};

for (const [name, { url, code, reaches }] of Object.entries(SPELLINGS)) {
  Deno.test(`the loopback interface is not reached by way of ${name}`, async () => {
    await using canary = startHttp(() => new Response("reached"));
    const ports = { ALLOW_PORTS: `80,443,${canary.port}` };
    await using service = startService(ports);
    const answer = await ask(service, { url: url(canary.port) });
    assertEquals(answer.code, code);
    assertEquals(canary.requests.length, 0);
    if (!reaches) return;
    await using open = startService({ ...ports, ALLOW_HOSTS: "127.0.0.1,localhost" });
    assertEquals((await ask(open, { url: url(canary.port) })).content, "reached");
  });
}

for (
  const [name, addresses] of Object.entries({
    "a private address": ["127.0.0.1"],
    "a private address among public ones": ["8.8.8.8", "127.0.0.1", "2606:4700::1111"],
    "an address that cannot be parsed": ["127.0.0.1", "what"],
    "nothing": [],
  })
) {
  Deno.test(`a name that resolves to ${name} is not requested`, async () => {
    await using canary = startHttp(() => new Response("reached"));
    const resolver = createResolver({ lookup: () => Promise.resolve(addresses) });
    await using service = startService({ ALLOW_PORTS: String(canary.port) }, { resolver });
    const answer = await ask(service, { url: `http://api.example.com:${canary.port}/` });
    assert(["destination_ip_prohibited", "dns_error"].includes(answer.code), answer.error);
    assert(!answer.error.includes("127.0.0.1"), "the address is not told");
    assertEquals(canary.requests.length, 0);
  });
}

Deno.test("a name that is rebound after the check is not followed: http goes to the checked address", async () => {
  await using canary = startHttp(() => new Response("reached"));
  await using honest = startHttp((request) => new Response(request.headers.get("host")), {
    hostname: "127.0.0.2",
  });
  const answers = [["127.0.0.2"], ["127.0.0.1"]];
  let lookups = 0;
  const resolver = createResolver({
    lookup: () => Promise.resolve(answers[lookups++] ?? []),
    ttlMs: 0,
  });
  const ALLOW_HOSTS = `127.0.0.2/32:${honest.port}`;
  await using service = startService({ ALLOW_HOSTS }, { resolver });
  const url = `http://rebound.example:${honest.port}/`;
  const first = await ask(service, { url });
  assertEquals([first.content, lookups], [`rebound.example:${honest.port}`, 1]);
  const second = await ask(service, { url });
  assertEquals([second.code, lookups], ["destination_ip_prohibited", 2]);
  assertEquals(canary.requests.length, 0);
});

Deno.test("a name that is rebound after the check is not followed: https goes to the checked address", async () => {
  const read = (name: string): string =>
    Deno.readTextFileSync(new URL(`helpers/certificates/${name}`, import.meta.url));
  const [cert, key, ca] = ["localhost.pem", "localhost.key", "ca.pem"].map(read) as [
    string,
    string,
    string,
  ];
  await using honest = startHttp((request) => new Response(request.headers.get("host")), {
    cert,
    key,
    hostname: "127.0.0.2",
  });
  const { port } = honest;
  // The check sees 127.0.0.2; the system's resolver would lead to 127.0.0.1, where this counts connections.
  let connections = 0;
  using canary = Deno.listen({ hostname: "127.0.0.1", port });
  (async () => {
    for await (const connection of canary) {
      connections++;
      connection.close();
    }
  })().catch(() => {});
  const resolver = createResolver({ lookup: () => Promise.resolve(["127.0.0.2"]), ttlMs: 0 });
  const settings = { ALLOW_HOSTS: `127.0.0.2/32:${port}` };
  await using service = startService(settings, { resolver, caCerts: [ca] });
  const answer = await ask(service, { url: `https://localhost:${port}/` });
  assertEquals([answer.content, connections], [`localhost:${port}`, 0]);
});

Deno.test("with fetch, a name that is rebound after the check tells nothing about the ports of the address", async () => {
  const read = (name: string): string =>
    Deno.readTextFileSync(new URL(`helpers/certificates/${name}`, import.meta.url));
  // The check sees 127.0.0.9; the connection, by the system's resolver, goes to 127.0.0.1, whose
  // certificate this client does not trust for the name.
  await using canary = startHttp(() => new Response("reached"), {
    cert: read("localhost.pem"),
    key: read("localhost.key"),
  });
  await using plain = startHttp(() => new Response("reached"));
  const closed = startHttp(() => new Response());
  await closed[Symbol.asyncDispose]();
  await using silent = startRaw((connection) => {
    connection.close();
    return Promise.resolve();
  });
  const resolver = createResolver({ lookup: () => Promise.resolve(["127.0.0.9"]) });
  const settings = { ALLOW_HOSTS: "127.0.0.9:*", HTTP_CLIENT: "fetch" };
  await using service = startService(settings, { resolver });
  const answers = new Set<string>();
  for (const { port } of [canary, plain, closed, silent]) {
    for (const method of ["GET", "POST"]) {
      const url = `https://localhost:${port}/`;
      answers.add(JSON.stringify({ ...await ask(service, { url, method }), requestId: "" }));
    }
  }
  assertEquals(answers.size, 1, [...answers].join("\n"));
  assertEquals([canary.requests.length, plain.requests.length], [0, 0]);
});

for (
  const [name, location, code] of [
    ["another port", "http://127.0.0.1:{canary}/", "http_request_denied"],
    ["another spelling of it", "http://2130706433:{canary}/", "http_request_denied"],
    ["a host without a scheme", "//127.0.0.1:{canary}/", "http_request_denied"],
    ["a private address", "http://[::ffff:10.0.0.1]:{canary}/", "http_request_denied"],
    ["a file", "file:///etc/passwd", "http_request_denied"],
    ["a data URL", "data:text/plain,secret", "http_request_denied"],
    ["a user", "http://user@127.0.0.1:{upstream}/", "http_request_denied"],
    ["no URL", "http://[", "http_protocol_error"],
    ["itself", "/", "too_many_redirects"],
  ] as const
) {
  Deno.test(`a redirect to ${name} is not followed there`, async () => {
    await using canary = startHttp(() => new Response("reached"));
    await using upstream = startHttp(({ url }) => {
      const there = location
        .replace("{canary}", String(canary.port))
        .replace("{upstream}", new URL(url).port);
      return new Response(null, { status: 302, headers: { location: there } });
    });
    await using service = startService({ ALLOW_HOSTS: `127.0.0.1:${upstream.port}` });
    await using client = await connectV1(service.url);
    const frame = await client.ask({ type: "request", id: 1, url: upstream.origin });
    assertEquals([frame.code, frame.sent], [code, "yes"]);
    assertEquals(canary.requests.length, 0);
  });
}

Deno.test("a redirect from public to private is checked like a first hop", async () => {
  await using canary = startHttp(() => new Response("reached"));
  await using upstream = startHttp(() => Response.redirect(canary.origin, 307));
  const ALLOW_HOSTS = `public,127.0.0.1:${upstream.port}`;
  await using service = startService({ ALLOW_HOSTS, ALLOW_PORTS: String(canary.port) });
  const answer = await ask(service, { url: upstream.origin });
  assertEquals(answer.code, "destination_ip_prohibited");
  assertEquals(canary.requests.length, 0);
});

for (
  const [name, fields] of Object.entries({
    "CR LF in the method": { method: "GET / HTTP/1.1\r\nx: y" },
    "a space in the method": { method: "GET /" },
    "NUL in the method": { method: "GET\0" },
    "CR LF in a header name": { headers: { "x\r\ny": "z" } },
    "a colon in a header name": { headers: [["x:y", "z"]] },
    "an empty header name": { headers: [["", "z"]] },
    "CR LF in a header value": { headers: { x: "y\r\nhost: evil" } },
    "LF in a header value": { headers: [["x", "y\nz"]] },
    "NUL in a header value": { headers: { x: "y\0z" } },
    "a control character in a header value": { headers: { x: "y\x0bz" } },
    "DEL in a header value": { headers: { x: "y\x7f" } },
    "a blank behind a header name": { headers: [["transfer-encoding ", "chunked"]] },
    "a character beyond Latin-1 in a header value": { headers: { x: "ж" } },
  })
) {
  Deno.test(`${name} is refused before anything is sent`, async () => {
    await using canary = startHttp(() => new Response("reached"));
    await using service = startService({ ALLOW_HOSTS: "127.0.0.1:*" });
    const answer = await ask(service, { url: canary.origin, ...fields });
    assertEquals(answer.code, "bad_request");
    assertEquals(canary.requests.length, 0);
    assertEquals((await ask(service, { url: canary.origin })).content, "reached");
  });
}

Deno.test("a client cannot speak for this hop, nor open a metadata service", async () => {
  await using upstream = startHttp((request) => Response.json([...request.headers]));
  await using service = startService({ ALLOW_HOSTS: "127.0.0.1:*" });
  const headers = {
    "Host": "evil.example",
    "Connection": "close, x-hop",
    "X-Hop": "1",
    "Content-Length": "5",
    "Transfer-Encoding": "chunked",
    "Upgrade": "h2c",
    "TE": "trailers",
    "Expect": "100-continue",
    "Proxy-Authorization": "Basic x",
    "X-Forwarded-For": "10.0.0.1",
    "X-Real-IP": "10.0.0.1",
    "Forwarded": "for=10.0.0.1",
    "Via": "1.1 x",
    "Sec-WebSocket-Key": "x",
    "Metadata-Flavor": "Google",
    "Metadata": "true",
    "X-aws-ec2-metadata-token": "x",
    "X-Kept": "yes",
  };
  const { content } = await ask(service, { url: upstream.origin, headers });
  const names = content.map(([name]: [string]) => name);
  assertEquals(names, [
    "accept",
    "accept-encoding",
    "accept-language",
    "host",
    "user-agent",
    "x-kept",
  ]);
  const host = content.find(([name]: [string]) => name === "host");
  assertEquals(host[1], `127.0.0.1:${upstream.port}`);
});

Deno.test("a request is one request to the destination, framed by the service alone", async () => {
  const heads: string[] = [];
  await using upstream = startRaw(async (connection) => {
    heads.push(await connection.readHead());
    await connection.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok");
    connection.close();
  });
  await using service = startService({ ALLOW_HOSTS: "127.0.0.1:*" });
  const headers = [
    ["Content-Length", "0"],
    ["content-length", "999"],
    ["Transfer-Encoding", "chunked"],
    ["TRANSFER-ENCODING", "identity"],
    ["Connection", "content-length, x-a"],
    ["x-a", "1"],
  ];
  const evil = "GET /evil HTTP/1.1\r\nx-evil: 1\r\n\r\n";
  for (
    const path of ["/", "/a b\r\nx-evil: 1", "/č?Ċx-evil:1", `/#${evil}`, `/ HTTP/1.1\r\n${evil}`]
  ) {
    const url = upstream.origin + path;
    const answer = await ask(service, { url, method: "POST", headers, data: evil });
    assertEquals(answer.content, "ok");
    const [line = "", ...fields] = (heads.at(-1) ?? "").split("\r\n\r\n")[0]?.split("\r\n") ?? [];
    assertMatch(line, /^POST \/\S* HTTP\/1\.1$/);
    const names = fields.map((field) => field.split(":")[0]?.toLowerCase());
    assertEquals(names.filter((name) => name === "content-length").length, 1);
    assertEquals(names.filter((name) => /transfer|evil|^x-a$|connection/.test(name ?? "")), []);
  }
});

const OK = "HTTP/1.1 200 OK\r\n";
const POISON = `${OK}content-length: 6\r\n\r\npoison`;

// What a destination may say that a client could take for the answer to whoever asks next.
const POISONS: Readonly<Record<string, { readonly answer: string; readonly method?: string }>> = {
  "behind a body": { answer: `${OK}content-length: 2\r\n\r\nok${POISON}` },
  "behind a body that is longer": {
    answer: `${OK}content-length: 90000\r\n\r\n${"o".repeat(90_000)}${POISON}`,
  },
  "behind chunks": { answer: `${OK}transfer-encoding: chunked\r\n\r\n0\r\n\r\n${POISON}` },
  "behind trailers": {
    answer: `${OK}transfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n\r\n${POISON}`,
  },
  "behind 204": { answer: `HTTP/1.1 204 No Content\r\n\r\n${POISON}` },
  "behind 205": { answer: `HTTP/1.1 205 x\r\ncontent-length: 0\r\n\r\n${POISON}` },
  "as the body of a 304": {
    answer: `HTTP/1.1 304 x\r\ncontent-length: ${POISON.length}\r\n\r\n${POISON}`,
  },
  "as the body of an answer to HEAD": {
    answer: `${OK}content-length: ${POISON.length}\r\n\r\n${POISON}`,
    method: "HEAD",
  },
  "as a body beside which chunks have ended": {
    answer: `${OK}content-length: ${
      POISON.length + 5
    }\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${POISON}`,
  },
  "behind a body that is too large": {
    answer: `${OK}content-length: 100001\r\n\r\n${"o".repeat(100_001)}${POISON}`,
  },
};

for (const [name, poison] of Object.entries(POISONS)) {
  Deno.test(`a response ${name} is not another client's answer`, async () => {
    let isFirst = true;
    await using upstream = startRaw(async (connection) => {
      for (;;) {
        const [, path = ""] = (await connection.readHead()).split(" ", 2);
        if (path === "") return connection.close();
        const answer = isFirst
          ? poison.answer
          : `${OK}content-length: ${path.length}\r\n\r\n${path}`;
        isFirst = false;
        await connection.write(answer);
      }
    });
    const MAX_RESPONSE_BYTES = "100000";
    await using service = startService({ ALLOW_HOSTS: "127.0.0.1:*", MAX_RESPONSE_BYTES });
    await using client = await connectPlain(service.url);
    await using other = await connectPlain(service.url);
    await client.ask({ method: poison.method ?? "GET", url: `${upstream.origin}/mine` });
    for (let round = 0; round < 3; round++) {
      const answer = await other.ask({ method: "GET", url: `${upstream.origin}/theirs` });
      assertEquals(answer.content, "/theirs");
    }
  });
}

Deno.test("interim responses that never end are cut off", async () => {
  const left = Promise.withResolvers<void>();
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    try {
      for (;;) await connection.write("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100));
    } finally {
      left.resolve();
    }
  });
  await using service = startService({ ALLOW_HOSTS: "127.0.0.1:*" });
  const answer = await ask(service, { url: upstream.origin });
  assertEquals(answer.code, "http_protocol_error");
  await left.promise;
});

Deno.test("a gzip bomb stops at the cap, not after it", async () => {
  const bomb = gzipSync(new Uint8Array(256 * 1024 * 1024));
  const left = Promise.withResolvers<void>();
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(
      `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length + 1}\r\n\r\n`,
    );
    await connection.write(new Uint8Array(bomb));
    // One byte is held back: only a reader that stops early lets go of the connection.
    await connection.peerClosed();
    left.resolve();
  });
  await using service = startService({ ALLOW_HOSTS: "127.0.0.1:*" });
  const answer = await ask(service, { url: upstream.origin });
  assertEquals(answer.code, "http_response_body_size");
  await left.promise;
});

const ENDLESS: Readonly<Record<string, readonly [coding: string, part: Uint8Array]>> = {
  "empty members of gzip": ["gzip", gzipSync("")],
  "empty frames of zstd": ["zstd", zstdCompressSync("")],
  "skippable frames of zstd": ["zstd", new Uint8Array([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])],
};

for (const [name, [coding, part]] of Object.entries(ENDLESS)) {
  Deno.test(`a body of ${name} without end is cut off`, async () => {
    const left = Promise.withResolvers<void>();
    const parts = concat(Array(5000).fill(new Uint8Array(part)));
    await using upstream = startRaw(async (connection) => {
      await connection.readHead();
      await connection.write(`HTTP/1.1 200 OK\r\ncontent-encoding: ${coding}\r\n\r\n`);
      try {
        for (;;) await connection.write(parts);
      } finally {
        left.resolve();
      }
    });
    await using service = startService({ ALLOW_HOSTS: "127.0.0.1:*" });
    const answer = await ask(service, { url: upstream.origin });
    assertEquals(answer.code, "http_response_content_coding");
    await left.promise;
  });
}

Deno.test("a response head that never ends is cut off", async () => {
  const left = Promise.withResolvers<void>();
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write("HTTP/1.1 200 OK\r\n");
    try {
      for (;;) await connection.write(`x-endless: ${"y".repeat(1000)}\r\n`);
    } finally {
      left.resolve();
    }
  });
  await using service = startService({ ALLOW_HOSTS: "127.0.0.1:*" });
  const answer = await ask(service, { url: upstream.origin });
  assertEquals(answer.code, "http_protocol_error");
  await left.promise;
});

Deno.test("nothing that a request carries is logged", async () => {
  await using upstream = startHttp(() =>
    new Response("s3cret-body", { headers: { x: "s3cret-x" } })
  );
  await using service = startService({ ALLOW_HOSTS: "127.0.0.1:*" });
  for (const path of ["/s3cret-path?token=s3cret-query", "/"]) {
    await ask(service, {
      id: "s3cret-id",
      url: `${upstream.origin}${path}`,
      method: "POST",
      headers: { authorization: "Bearer s3cret-token", "x-s3cret": "s3cret-value" },
      data: { password: "s3cret-data" },
    });
  }
  await ask(service, { url: "http://u:s3cret@127.0.0.1/", "s3cret-field": 1 });
  await service.logged("disconnected");
  assertEquals(service.log.filter((line) => JSON.stringify(line).includes("s3cret")), []);
  assert(service.log.some(({ event, status }) => event === "exchanged" && status === 200));
});

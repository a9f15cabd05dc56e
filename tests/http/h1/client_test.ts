import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { startRaw } from "../../helpers/upstream.ts";
import {
  chunked,
  createTestClient,
  ok,
  readText,
  readUntil,
  startServer,
  type TestRequest,
} from "./test_client.ts";
import { createWire } from "./wire.ts";

/** Refuses to connect anywhere, and counts. */
function noConnect(): { readonly connect: () => Promise<never>; readonly count: () => number } {
  let count = 0;
  return {
    connect: () => {
      count++;
      return Promise.reject(new Deno.errors.ConnectionRefused("no"));
    },
    count: () => count,
  };
}

Deno.test("request() sends the body behind its length", async () => {
  for (const size of [0, 1, 4000, 100_000]) {
    const text = "b".repeat(size);
    await using server = startRaw(async (connection) => {
      const head = await connection.readHead();
      await connection.write(ok(await readUntil(connection, head, `\r\n\r\n${text}`)));
      await connection.peerClosed();
    });
    using client = createTestClient();
    const body = new TextEncoder().encode(text);
    const seen = (await client.fetch(server.origin, { method: "POST", body })).text;
    assert(seen.startsWith("POST / HTTP/1.1\r\n") && seen.endsWith(`\r\n\r\n${text}`));
    assert(seen.includes(`\r\ncontent-length: ${size}\r\n`));
  }
});

const UNSENDABLE: readonly { name: string; url?: string; asked?: TestRequest; code?: string }[] = [
  { name: "a field that would be two", asked: { headers: [["x", "y\r\nz: 1"]] } },
  { name: "a name that is none", asked: { headers: [["x y", "z"]] } },
  { name: "a method that is none", asked: { method: "GET / HTTP/1.1\r\nx:" } },
  { name: "a host that is none", url: "http://a{b.invalid/" },
  { name: "a URL too long", url: `http://a.invalid/${"a".repeat(70_000)}` },
  { name: "a port of mail", url: "http://a.invalid:25/", code: "http_request_denied" },
  { name: "a port of X11", url: "http://a.invalid:6000/", code: "http_request_denied" },
  { name: "port 0", url: "http://127.0.0.1:0/", code: "http_request_denied" },
];

for (const { name, url = "http://a.invalid/", asked = {}, code = "bad_request" } of UNSENDABLE) {
  Deno.test(`request() refuses ${name} before it connects`, async () => {
    const { connect, count } = noConnect();
    using client = createTestClient({ connect });
    const error = await assertRejects(() => client.fetch(url, asked), ProxyError);
    assertEquals([error.code, error.sent, error.retryable, count()], [code, "no", false, 0]);
  });
}

Deno.test("request() tries every address, and gives the last failure", async () => {
  const { connect, count } = noConnect();
  using client = createTestClient({ connect });
  const addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
  const refused = await assertRejects(
    () => client.fetch("http://a.invalid/", { addresses }),
    ProxyError,
  );
  assertEquals([refused.code, refused.sent, count()], ["connection_refused", "no", 3]);
  const none = await assertRejects(
    () => client.fetch("http://a.invalid/", { addresses: [] }),
    ProxyError,
  );
  assertEquals([none.code, none.sent, count()], ["dns_error", "no", 3]);
});

const INTERIM: readonly { name: string; input: string }[] = [
  { name: "none", input: "" },
  { name: "100", input: "HTTP/1.1 100 Continue\r\n\r\n" },
  { name: "several", input: "HTTP/1.1 102 x\r\n\r\nHTTP/1.1 103 x\r\nlink: y\r\n\r\n".repeat(10) },
  {
    name: "one with a length, which has no body",
    input: "HTTP/1.1 100 x\r\ncontent-length: 9\r\n\r\n",
  },
  { name: "one without CR", input: "HTTP/1.1 103 x\nlink: y\n\n" },
];

for (const { name, input } of INTERIM) {
  Deno.test(`request() gives the response behind interim ones: ${name}`, async () => {
    await using server = startServer(() => input + ok("abc"));
    using client = createTestClient();
    assertEquals((await client.fetch(server.origin)).text, "abc");
  });
}

const NOT_HTTP: readonly { name: string; input: string }[] = [
  { name: "101, which nobody has asked for", input: "HTTP/1.1 101 x\r\nupgrade: y\r\n\r\n" },
  { name: "an interim response that is none", input: "HTTP/1.1 100 x\r\ny\r\n\r\n" },
  { name: "another protocol, whose line has not ended", input: "SSH-2.0-OpenSSH" },
  { name: "a line end in front of the head", input: `\r\n${ok("")}` },
  { name: "what begins like HTTP", input: "HTTP/1.x 200 OK\r\n\r\n" },
  {
    name: "a body of an unknown coding",
    input: "HTTP/1.1 200 x\r\ntransfer-encoding: gzip\r\n\r\n",
  },
];

for (const { name, input } of NOT_HTTP) {
  Deno.test(`request() refuses ${name}, and closes the connection`, async () => {
    const closed = Promise.withResolvers<void>();
    await using server = startServer(async (connection) => {
      await connection.write(input);
      await connection.peerClosed();
      closed.resolve();
    });
    using client = createTestClient();
    const { code, sent } = await assertRejects(() => client.fetch(server.origin), ProxyError);
    assertEquals([code, sent], ["http_protocol_error", "yes"]);
    await closed.promise;
  });
}

const ENDLESS: readonly { name: string; input: string }[] = [
  { name: "fields", input: `x: ${"y".repeat(1000)}\r\n` },
  { name: "one line", input: "y".repeat(1000) },
  { name: "interim responses", input: "HTTP/1.1 100 \r\n\r\n".repeat(50) },
  { name: "large interim responses", input: `HTTP/1.1 100 \r\nx: ${"y".repeat(1000)}\r\n\r\n` },
];

for (const { name, input } of ENDLESS) {
  Deno.test(`request() does not read ${name} for ever`, async () => {
    let written = 0;
    await using server = startRaw(async (connection) => {
      await connection.readHead();
      const isInterim = input.startsWith("HTTP/");
      await connection.write(isInterim ? input : "HTTP/1.1 200 OK\r\n");
      for (;; written += input.length) await connection.write(input);
    });
    using client = createTestClient();
    const { code } = await assertRejects(() => client.fetch(server.origin), ProxyError);
    assertEquals(code, "http_protocol_error");
  });
}

Deno.test("request() reads a response that comes a byte at a time", async () => {
  await using server = startRaw(async (connection) => {
    await connection.readHead();
    const text = `HTTP/1.1 103 x\r\n\r\n${chunked("abc", "defg").replace("\r\n", "\r\nx: y\r\n")}`;
    for (const byte of text) await connection.write(byte);
    await connection.peerClosed();
  });
  using client = createTestClient();
  assertEquals((await client.fetch(server.origin)).text, "abcdefg");
});

const long = "y".repeat(300);
const CUT_HEADS: readonly { name: string; input: string }[] = [
  { name: "no other", input: "" },
  { name: "a long 103", input: `HTTP/1.1 103 x\r\nlink: ${long}\r\n\r\n` },
  { name: "a long 103 without CR", input: `HTTP/1.1 103 x\nlink: ${long}\n\n` },
  { name: "a short 100 and a long 103", input: `HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 ${long}\n\r\n` },
];

for (const { name, input } of CUT_HEADS) {
  Deno.test(`request() reads a short head behind ${name}, wherever it is cut`, async () => {
    for (const answer of ["HTTP/1.1 204 x\r\n\r\n", "HTTP/1.1 204 x\n\n"]) {
      const text = input + answer;
      for (let at = 1; at < text.length; at++) {
        const wire = createWire(text.slice(0, at), text.slice(at), null);
        using client = createTestClient({ connect: () => Promise.resolve(wire) });
        assertEquals((await client.fetch("http://a.invalid/")).status, 204);
      }
      const wire = createWire(...text, null);
      using client = createTestClient({ connect: () => Promise.resolve(wire) });
      assertEquals((await client.fetch("http://a.invalid/")).status, 204);
    }
  });
}

const BODIES: readonly { name: string; body: () => TestRequest["body"] & object }[] = [
  { name: "1 MiB", body: () => new Uint8Array(1_048_576) },
  { name: "50 MB, of which some will not be taken", body: () => new Uint8Array(50_000_000) },
  {
    name: "a stream without end",
    body: () => new ReadableStream({ pull: (it) => it.enqueue(new Uint8Array(65_536)) }),
  },
  { name: "a stream that does not begin", body: () => new ReadableStream() },
];

for (const { name, body } of BODIES) {
  Deno.test(`request() gives a response that comes before the body was read: ${name}`, async () => {
    const closed = Promise.withResolvers<void>();
    await using server = startRaw(async (connection) => {
      await connection.readHead();
      await connection.write(ok("enough").replace("200 OK", "413 x"));
      await closed.promise;
    });
    using client = createTestClient();
    const { status, text } = await client.fetch(server.origin, { method: "POST", body: body() });
    assertEquals([status, text], [413, "enough"]);
    closed.resolve();
  });

  Deno.test(`request() comes to an end when the server closes without reading: ${name}`, async () => {
    const written = Promise.withResolvers<void>();
    await using server = startRaw(async (connection) => {
      await connection.readHead();
      await connection.write(ok("enough", "connection: close").replace("200 OK", "413 x"));
      connection.close();
      written.resolve();
    });
    using client = createTestClient();
    const asking = client.fetch(server.origin, { method: "PUT", body: body() });
    await written.promise;
    // The reset may overtake what was sent before it, or any part of that.
    const outcome = await asking.then(({ text }) => text, ({ code }: ProxyError) => code);
    const possible = ["enough", "connection_terminated", "http_response_incomplete"];
    assert(possible.includes(outcome), outcome);
  });
}

Deno.test("a connection whose request was not sent whole is not used again", async () => {
  const over = Promise.withResolvers<void>();
  await using server = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(ok(""));
    await over.promise;
  });
  using client = createTestClient();
  for (const round of [1, 2]) {
    await client.fetch(server.origin, { method: "POST", body: new Uint8Array(50_000_000) });
    assertEquals(server.connections(), round);
  }
  over.resolve();
});

const PHASES: readonly { name: string; input: string; asked?: TestRequest }[] = [
  { name: "before the head", input: "" },
  { name: "inside of the head", input: "HTTP/1.1 200 OK\r\nx: y\r\n" },
  { name: "behind an interim response", input: "HTTP/1.1 103 x\r\n\r\n" },
  { name: "inside of the body", input: ok("abc").slice(0, -1) },
  { name: "inside of a chunk", input: chunked("abc").slice(0, -8) },
  { name: "inside of a body without length", input: "HTTP/1.1 200 OK\r\n\r\nabc" },
  {
    name: "while it writes",
    input: "",
    asked: { method: "PUT", body: new Uint8Array(50_000_000) },
  },
  {
    name: "while it streams",
    input: "",
    asked: {
      method: "PUT",
      body: new ReadableStream({ pull: (it) => it.enqueue(new Uint8Array(1e5)) }),
    },
  },
  {
    name: "while its stream waits",
    input: "",
    asked: { method: "PUT", body: new ReadableStream() },
  },
];

for (const { name, input, asked } of PHASES) {
  Deno.test(`request() ends with the signal's reason when aborted ${name}, and closes the connection`, async () => {
    const written = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    await using server = startRaw(async (connection) => {
      await connection.readHead();
      await connection.write(input);
      written.resolve();
      if (asked === undefined) await connection.peerClosed();
      closed.resolve();
    });
    for (const reading of ["bytes", "chunks"] as const) {
      using client = createTestClient();
      const controller = new AbortController();
      const { signal } = controller;
      const asking = client.fetch(server.origin, { ...asked, signal, reading });
      const ended = assertRejects(() => asking);
      await written.promise;
      const reason = new Error("enough");
      controller.abort(reason);
      assertStrictEquals(await ended, reason);
      await closed.promise;
      if (asked !== undefined) break; // its body is gone
    }
  });
}

Deno.test("request() ends with the signal's reason when aborted between the head and the body", async () => {
  await using server = startServer(() => ok("abc").slice(0, -1));
  using client = createTestClient();
  const reason = new Error("enough");
  for (const reading of ["bytes", "chunks"] as const) {
    const controller = new AbortController();
    const response = await client.fetchHead(server.origin, { signal: controller.signal });
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => readText(response, { reading })), reason);
  }
});

Deno.test("a connection whose exchange was aborted is not used again, though its response has come", async () => {
  await using server = startServer(() => ok("abc"));
  using client = createTestClient();
  const controller = new AbortController();
  const response = await client.fetchHead(server.origin, { signal: controller.signal });
  controller.abort();
  assertEquals(response.body.isHere, true);
  response.body.bytes(10);
  // In the same turn, before anything can be told of the connection.
  const { text } = await client.fetch(server.origin, { method: "POST" });
  assertEquals([text, server.connections()], ["abc", 2]);
});

Deno.test("request() ends with the signal's reason when aborted before, and connects to nothing", async () => {
  const reason = new Error("enough");
  await using server = startServer(() => ok("abc"));
  using client = createTestClient();
  const asking = client.fetch(server.origin, { signal: AbortSignal.abort(reason) });
  assertStrictEquals(await assertRejects(() => asking), reason);
  assertEquals(server.connections(), 0);
});

Deno.test("request() ends with the signal's reason when aborted while it connects", async () => {
  const reason = new Error("enough");
  let connects = 0;
  let closes = 0;
  for (const isLate of [false, true]) {
    const controller = new AbortController();
    using client = createTestClient({
      connect: (options) => {
        connects++;
        const { signal } = options as { readonly signal?: AbortSignal };
        controller.abort(reason);
        if (!isLate) return Promise.reject(signal?.reason);
        return Promise.resolve({
          read: () => Promise.reject(new Error("It was closed")),
          write: () => Promise.reject(new Error("It was closed")),
          close: () => void closes++,
        });
      },
    });
    const addresses = ["192.0.2.1", "192.0.2.2"];
    const asking = client.fetch("http://a.invalid/", { signal: controller.signal, addresses });
    assertStrictEquals(await assertRejects(() => asking), reason);
  }
  assertEquals([connects, closes], [2, 1]);
});

Deno.test("a signal that is aborted behind its exchange does nothing to the connection", async () => {
  await using server = startServer(() => ok("abc"));
  using client = createTestClient();
  for (let round = 0; round < 3; round++) {
    const controller = new AbortController();
    await client.fetch(server.origin, { signal: controller.signal });
    controller.abort();
  }
  assertEquals(server.connections(), 1);
});

/** A signal that knows how many listen to it. */
function countListeners(): { readonly signal: AbortSignal; readonly count: () => number } {
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  Object.assign(signal, {
    addEventListener(...[type, listener, options]: Parameters<typeof add>): void {
      listeners.add(listener);
      add(type, listener, options);
    },
    removeEventListener(...[type, listener, options]: Parameters<typeof remove>): void {
      listeners.delete(listener);
      remove(type, listener, options);
    },
  });
  return { signal, count: () => listeners.size };
}

Deno.test("no exchange leaves a listener on its signal, however it ends", async () => {
  const answers: readonly (string | false)[] = [
    ok("abc"),
    ok(""),
    chunked("abc"),
    ok("abc", "connection: close"),
    ok("abcdefghij"),
    "x",
    "HTTP/1.1 101 x\r\n\r\n",
    false,
    ok("abc").slice(0, -1),
    chunked("abc").slice(0, -6),
  ];
  for (const reading of ["bytes", "chunks"] as const) {
    for (const answer of answers) {
      await using server = startRaw(async (connection) => {
        await connection.readHead();
        if (answer !== false) await connection.write(answer);
        connection.close();
      });
      using client = createTestClient();
      const { signal, count } = countListeners();
      await client.fetch(server.origin, { signal, reading, maxBytes: 5 }).catch(() => {});
      assertEquals(count(), 0, String(answer));
    }
  }
});

const BREAKS: readonly { name: string; input: string; expected: string }[] = [
  { name: "before the head", input: "", expected: "connection_terminated" },
  {
    name: "inside of the head",
    input: "HTTP/1.1 200 OK\r\nx: y",
    expected: "connection_terminated",
  },
  {
    name: "inside of the body",
    input: ok("abc").slice(0, -1),
    expected: "http_response_incomplete",
  },
  {
    name: "inside of a long body",
    input: ok("abc".repeat(50_000)).slice(0, -1),
    expected: "http_response_incomplete",
  },
  {
    name: "inside of a chunk",
    input: chunked("abc").slice(0, -8),
    expected: "http_response_incomplete",
  },
  {
    name: "in front of the last chunk",
    input: chunked("abc").slice(0, -5),
    expected: "http_response_incomplete",
  },
  {
    name: "inside of the end",
    input: chunked("abc").slice(0, -1),
    expected: "http_response_incomplete",
  },
];

for (const { name, input, expected } of BREAKS) {
  Deno.test(`request() tells that the connection broke off ${name}, by an end or a reset`, async () => {
    for (const reading of ["bytes", "chunks"] as const) {
      for (const isReset of [false, true]) {
        await using server = startRaw(async (connection) => {
          await connection.readHead();
          await connection.write(input);
          if (!isReset) await connection.closeWrite();
          else connection.close(); // with a body that was not read
          await connection.peerClosed();
        });
        using client = createTestClient();
        const body = isReset ? new Uint8Array(500_000) : null;
        const asking = client.fetch(server.origin, { method: "POST", body, reading });
        const { code, retryable } = await assertRejects(() => asking, ProxyError);
        // What a reset overtakes, the client has not seen.
        const codes = isReset ? [expected, "connection_terminated"] : [expected];
        assert(codes.includes(code), code);
        assertEquals(retryable, false);
      }
    }
  });
}

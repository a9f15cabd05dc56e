import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { testEach } from "../helpers/http_clients.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";
import { CERTIFICATE, failure, REDIRECT, request } from "./make_request.ts";

testEach(
  "forward() connects to the address that was checked, and sends the name as host",
  async (by) => {
    await using upstream = startHttp((request) =>
      Response.json(Object.fromEntries(request.headers))
    );
    const url = `http://name.invalid:${upstream.port}/path?query`;
    const { text, ...head } = await request(by, url, {
      check: () => ({ addresses: ["127.0.0.1"] }),
      headers: [["Host", "evil.invalid"], ["x-kept", "1"]],
    });
    const { host, "x-kept": kept } = JSON.parse(text ?? "");
    assertEquals([host, kept, head.url], [`name.invalid:${upstream.port}`, "1", url]);
  },
);

testEach("forward() sends an address as host when the URL has one", async (by) => {
  await using upstream = startHttp((request) => new Response(request.headers.get("host")));
  const { text } = await request(by, upstream.origin, { headers: [["host", "evil.invalid"]] });
  assertEquals(text, `127.0.0.1:${upstream.port}`);
});

testEach("forward() connects to an IPv6 address that was checked", async (by) => {
  await using upstream = startHttp(() => new Response("v6"), { hostname: "::1" });
  const url = `http://name.invalid:${upstream.port}/`;
  assertEquals((await request(by, url, { check: () => ({ addresses: ["::1"] }) })).text, "v6");
});

testEach("forward() tries the next address only when nothing was sent", async (by) => {
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

testEach("forward() fails without an address", async (by) => {
  const { code, sent } = await failure(by, "http://name.invalid/", {
    check: () => ({ addresses: [] }),
  });
  assertEquals([code, sent], ["dns_error", "no"]);
});

testEach(
  "forward() keeps the name in an https URL, since the certificate has to match it",
  async (by) => {
    await using upstream = startHttp(
      ({ url }) => new Response(new URL(url).host),
      { cert: CERTIFICATE.cert, key: CERTIFICATE.key },
    );
    const url = `https://localhost:${upstream.port}/`;
    // Nothing listens at this address, but fetch looks the name up again.
    const check = () => ({ addresses: [by === "direct" ? "127.0.0.1" : "127.0.0.3"] });
    const { text } = await request(by, url, { check, headers: [["host", "evil.invalid"]] });
    assertEquals(text, `localhost:${upstream.port}`);
  },
);

testEach("forward() returns the head of the response without hop-by-hop fields", async (by) => {
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
    // Deno's fetch returns the usual reason phrase, and sorts and joins fields.
    const [phrase, fields] = by === "direct"
      ? ["Nowhere", [["x-two", "1"], ["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-two", "2"]]]
      : ["Not Found", [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-two", "1, 2"]]];
    assertEquals([status, statusText, redirected, text], [404, phrase, false, "body"]);
    assertEquals(url, `${upstream.origin}/?q`);
    assertEquals(headers, fields);
  }
});

const UNSENDABLE = [
  { name: "a URL that is too long", input: `http://127.0.0.1/?${"a".repeat(70_000)}`, headers: [] },
  { name: "a host with a brace", input: "http://a{b.invalid/", headers: [] },
  {
    name: "a field name that is too long",
    input: "http://x.invalid/",
    headers: [["a".repeat(70_000), ""]],
  },
  { name: "a field name that is not a token", input: "http://x.invalid/", headers: [["a b", ""]] },
] as const;

for (const { name, input, headers } of UNSENDABLE) {
  testEach(`forward() refuses ${name}, which the HTTP client cannot send`, async (by) => {
    const { code, sent, message, cause } = await failure(by, input, { headers });
    assertEquals([code, sent, cause], ["bad_request", "no", undefined]);
    assertEquals(message.includes("aaaa"), false);
  });
}

const ABORTED = [
  { name: "while the hop is checked", input: "check 1", expected: 0 },
  { name: "before the head", input: "head 1", expected: 1 },
  { name: "while the next hop is checked", input: "check 2", expected: 1 },
  { name: "before the head of the next hop", input: "head 2", expected: 2 },
];

for (const { name, input, expected } of ABORTED) {
  testEach(`forward() fails with the signal's reason when aborted ${name}`, async (by) => {
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
    const options = { check, signal: controller.signal, method: "POST" };
    assertStrictEquals(await assertRejects(() => request(by, upstream.origin, options)), reason);
    assertEquals(counts.head, expected);
  });
}

function streamOf(...texts: string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(texts.map((text) => new TextEncoder().encode(text)));
}

testEach(
  "forward() streams a body once: to the first address that connects, or with fetch to the first address",
  async (by) => {
    await using upstream = startHttp(async (request) => new Response(await request.text()));
    const url = `http://name.invalid:${upstream.port}/`;
    const send = (addresses: string[]) =>
      ({ method: "PUT", body: streamOf("a", "b"), check: () => ({ addresses }) }) as const;
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

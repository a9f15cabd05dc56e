import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { ClientWish, FetchClients } from "../../../src/http/fetch/clients.ts";
import { createFetchTransport, type PlatformFetch } from "../../../src/http/fetch/transport.ts";
import type { FindProxy, ProxyServer } from "../../../src/http/proxies.ts";
import type { TransportRequest } from "../../../src/http/transport.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { latin1 } from "../../helpers/upstream.ts";

/** A call of `fetch`. */
interface Call {
  readonly url: string;
  readonly init: Parameters<PlatformFetch>[1];
}

/** The outcome of a call: a response, or what `fetch` throws. */
type Outcome = Response | Error;

interface World {
  readonly calls: readonly Call[];
  readonly client: Deno.HttpClient;
  /** The clients that were asked for, in order. */
  readonly wishes: readonly ClientWish[];
  /** Where clients of their own were connected to, and how many of those were closed. */
  readonly opened: readonly string[];
  readonly closed: () => number;
  request(request?: Partial<TransportRequest>, signal?: AbortSignal): Promise<
    Awaited<ReturnType<ReturnType<typeof createFetchTransport>>>
  >;
}

const PROXY: ProxyServer = { url: "http://proxy.invalid:3128", basicAuth: undefined };

/** Creates a transport on a `fetch` with these outcomes, one after the other. */
function start(...outcomes: Outcome[]): World {
  return startBehind(undefined, ...outcomes);
}

function startBehind(findProxy: FindProxy | undefined, ...outcomes: Outcome[]): World {
  const calls: Call[] = [];
  const wishes: ClientWish[] = [];
  const opened: string[] = [];
  let closed = 0;
  const close = (): void => void closed++;
  // Only passed on.
  const client = { close, [Symbol.dispose]: close } as Deno.HttpClient;
  const clients: FetchClients = {
    find(wish): Deno.HttpClient {
      wishes.push(wish);
      return client;
    },
    openTo({ hostname, port }): Deno.HttpClient {
      opened.push(`${hostname} ${port}`);
      return client;
    },
    [Symbol.dispose]: close,
  };
  const fetch: PlatformFetch = (url, init) => {
    calls.push({ url: url.href, init });
    const outcome = outcomes.shift() ?? new Error("No more calls were expected");
    return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
  };
  const transport = createFetchTransport({ clients, findProxy, fetch });
  return {
    calls,
    client,
    wishes,
    opened,
    closed: () => closed,
    request: (request = {}, signal = new AbortController().signal) => {
      const url = new URL("http://name.invalid:81/a?b");
      return transport({ method: "GET", url, headers: [], body: null, ...request }, signal);
    },
  };
}

function failed(reason: string): TypeError {
  return new TypeError("fetch failed", { cause: new Error(`client error ${reason}`) });
}

const REFUSED = "(Connect): tcp connect error: Connection refused (os error 111)";
const LOST = "(SendRequest): connection closed before message completed";

Deno.test("request() calls fetch with the request, its client and its signal, and follows no redirect", async () => {
  const { calls, client, request } = start(new Response("abc", { status: 302 }));
  const { signal } = new AbortController();
  const [headers, body] = [[["X-A", "1"]] as const, new Uint8Array(2)];
  const { status } = await request({ method: "PUT", headers, body }, signal);
  const [call] = calls;
  assertEquals([status, calls.length, call?.url], [302, 1, "http://name.invalid:81/a?b"]);
  assertEquals(call?.init, { method: "PUT", headers, body, redirect: "manual", signal, client });
  assertStrictEquals(call?.init.signal, signal);
  assertStrictEquals(call?.init.client, client);
  assertStrictEquals(call?.init.body, body);
});

Deno.test("request() sends the request to a checked address, with its host in a field", async () => {
  for (const [address, host] of [["192.0.2.1", "192.0.2.1"], ["2001:db8::1", "[2001:db8::1]"]]) {
    const { calls, request } = start(new Response());
    await request({ addresses: [address ?? ""], headers: [["x", "1"]] });
    assertEquals(calls.map(({ url }) => url), [`http://${host}:81/a?b`]);
    assertEquals(calls[0]?.init.headers, [["x", "1"], ["host", "name.invalid:81"]]);
  }
});

Deno.test("request() leaves the name in an https URL, whatever the addresses", async () => {
  const { calls, request } = start(new Response());
  await request({ url: new URL("https://name.invalid/"), addresses: ["192.0.2.1"] });
  assertEquals(calls.map(({ url, init }) => [url, init.headers]), [["https://name.invalid/", []]]);
});

const SHARING: readonly { name: string; request: Partial<TransportRequest>; expected: boolean }[] =
  [
    { name: "GET", request: {}, expected: true },
    { name: "PUT", request: { method: "PUT", body: new Uint8Array(1) }, expected: true },
    { name: "POST", request: { method: "POST" }, expected: false },
    { name: "PATCH", request: { method: "PATCH" }, expected: false },
    { name: "an unknown method", request: { method: "QUERY" }, expected: false },
    {
      name: "a streamed body",
      request: { method: "PUT", body: new ReadableStream() },
      expected: false,
    },
    { name: "counted attempts", request: { mayRepeat: () => true }, expected: false },
    { name: "NTLM", request: { headers: [["Authorization", "ntlm x"]] }, expected: false },
    { name: "Negotiate", request: { headers: [["authorization", "Negotiate"]] }, expected: false },
    { name: "Basic", request: { headers: [["authorization", "Basic NTLM"]] }, expected: true },
  ];

for (const { name, request, expected } of SHARING) {
  Deno.test(`request() with ${name} ${expected ? "shares connections" : "has a connection of its own"}`, async () => {
    for (const target of [{ addresses: ["192.0.2.1"] }, { url: new URL("https://a.invalid/") }]) {
      const { wishes, request: send } = start(new Response());
      await send({ ...request, ...target });
      assertEquals(wishes, [{ isShared: expected, proxy: undefined, route: undefined }]);
    }
  });
}

Deno.test("request() passes the route of an upstream on to its client", async () => {
  const { wishes, request } = start(new Response());
  const route = { client: "fetch" } as const;
  await request({ route });
  assertStrictEquals(wishes[0]?.route, route);
});

Deno.test("request() gives a proxy the name, whatever the addresses", async () => {
  for (const url of ["http://name.invalid:81/", "https://name.invalid/"]) {
    const { calls, wishes, opened, request } = startBehind(() => PROXY, new Response());
    await request({ url: new URL(url), addresses: ["192.0.2.1"] });
    assertEquals(calls.map(({ url, init }) => [url, init.headers]), [[url, []]]);
    assertEquals([wishes, opened], [[{ isShared: true, proxy: PROXY, route: undefined }], []]);
  }
});

Deno.test("request() connects to a checked address beside the proxies, with a client that it closes", async () => {
  for (
    const [url, port] of [["http://name.invalid:81/", 81], ["http://name.invalid/", 80]] as const
  ) {
    const { calls, wishes, opened, closed, request } = startBehind(
      () => undefined,
      failed(REFUSED),
      new Response(),
    );
    await request({ url: new URL(url), addresses: ["192.0.2.1", "::1"] });
    assertEquals(opened, [`192.0.2.1 ${port}`, `::1 ${port}`]);
    assertEquals([calls.length, wishes.length, closed()], [2, 0, 2]);
    assertEquals(calls[1]?.init.headers, [["host", new URL(url).host]]);
  }
});

const UNCHECKED = [
  REFUSED,
  "(Connect): tcp connect error: Connection timed out (os error 110)",
  "(Connect): dns error: no record found",
  "(Connect): invalid peer certificate: UnknownIssuer",
  "(Connect): received corrupt message of type InvalidContentType",
  "(Connect): tls handshake eof",
];

Deno.test("request() tells all failures to connect alike where the address is looked up again", async () => {
  const addresses = ["192.0.2.1"];
  async function describe(
    reason: string,
    url: string,
    request: Partial<TransportRequest>,
  ): Promise<string> {
    const { request: send } = start(failed(reason));
    const error = await assertRejects(() => send({ url: new URL(url), ...request }), ProxyError);
    return [error.code, error.message, error.sent, error.retryable].join("|");
  }
  async function describeAll(url: string, request: Partial<TransportRequest>): Promise<number> {
    return new Set(await Promise.all(UNCHECKED.map((reason) => describe(reason, url, request))))
      .size;
  }
  assertEquals(await describeAll("https://name.invalid/", { addresses }), 1);
  assertEquals(await describeAll("https://name.invalid/", {}), 6, "the operator chose the name");
  assertEquals(
    await describeAll("https://192.0.2.1/", { addresses }),
    6,
    "an address is not looked up",
  );
  assertEquals(await describeAll("https://[2001:db8::1]/", { addresses }), 6);
});

Deno.test("request() says that a request may have been sent once its host has responded over shared connections", async () => {
  const { request } = start(failed(REFUSED), new Response(), failed(REFUSED), failed(REFUSED));
  const sentOf = async (method: string) =>
    (await assertRejects(() => request({ method }), ProxyError)).sent;
  assertEquals(await sentOf("GET"), "no");
  await request();
  assertEquals(await sentOf("GET"), "maybe");
  assertEquals(await sentOf("POST"), "no", "its connection is new");
});

Deno.test("request() tries the next address only while nothing was sent, and fails with the last error", async () => {
  const addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
  const second = start(failed(REFUSED), new Response("here"));
  assertEquals((await second.request({ addresses })).status, 200);
  assertEquals(second.calls.length, 2);

  const sent = start(failed(REFUSED), failed(LOST));
  const lost = await assertRejects(() => sent.request({ addresses }), ProxyError);
  assertEquals([lost.code, lost.sent, sent.calls.length], ["connection_terminated", "maybe", 2]);

  const none = start(failed("(Connect): x"), failed("(Connect): y"), failed(REFUSED));
  const last = await assertRejects(() => none.request({ addresses }), ProxyError);
  assertEquals([last.code, none.calls.length], ["connection_refused", 3]);
});

Deno.test("request() gives a streamed body to one address only", async () => {
  const { calls, request } = start(failed(REFUSED), new Response());
  const addresses = ["192.0.2.1", "192.0.2.2"];
  const error = await assertRejects(
    () => request({ method: "PUT", body: new ReadableStream(), addresses }),
    ProxyError,
  );
  assertEquals([error.code, calls.length], ["connection_refused", 1]);
});

Deno.test("request() fails with the signal's reason when fetch fails after an abort, and tries no other address", async () => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const { calls, request } = start(failed(REFUSED), new Response());
  const asking = request({ addresses: ["192.0.2.1", "192.0.2.2"] }, controller.signal);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => asking), reason);
  assertEquals(calls.length, 1);
});

Deno.test("request() refuses a 101, and cancels its body", async () => {
  let cancels = 0;
  const body = new ReadableStream({ cancel: () => void cancels++ });
  const switched = Object.create(new Response(), { status: { value: 101 }, body: { value: body } });
  const { request } = start(switched);
  const { code, sent } = await assertRejects(() => request(), ProxyError);
  assertEquals([code, sent, cancels], ["http_protocol_error", "yes", 1]);
});

const DECODED = [
  { name: "gzip", coding: "gzip", accepts: undefined, expected: true },
  { name: "br", coding: "br", accepts: undefined, expected: true },
  { name: "another coding", coding: "zstd", accepts: undefined, expected: false },
  { name: "gzip that stays coded", coding: "gzip", accepts: "identity", expected: false },
];

for (const { name, coding, accepts, expected } of DECODED) {
  Deno.test(`request() says that the body is ${expected ? "" : "not "}decoded for ${name}`, async () => {
    const headers = { "content-encoding": coding, "X-A": "1" };
    const { request } = start(new Response(null, { status: 203, statusText: "x", headers }));
    const response = await request(accepts ? { headers: [["accept-encoding", accepts]] } : {});
    assertEquals([response.status, response.statusText, response.decoded], [203, "x", expected]);
    assertEquals(response.headers, [["content-encoding", coding], ["x-a", "1"]]);
  });
}

Deno.test("request() returns a body whose errors are those of a destination, or the signal's reason", async () => {
  const failing = (): ReadableStream =>
    new ReadableStream({ type: "bytes", pull: (it) => it.error(new TypeError("broken")) });
  for (const [coding, code] of [["", "incomplete"], ["gzip", "content_coding"]]) {
    const { request } = start(
      new Response(failing(), { headers: { "content-encoding": coding ?? "" } }),
    );
    const { body } = await request({ method: "POST" });
    const error = await assertRejects(async () => await body.bytes(9), ProxyError);
    assertEquals([error.code, error.retryable], [`http_response_${code}`, false]);
  }
  const controller = new AbortController();
  const { request } = start(new Response(failing()));
  const { body } = await request({}, controller.signal);
  controller.abort(new Error("enough"));
  assertStrictEquals(
    await assertRejects(async () => await body.bytes(9)),
    controller.signal.reason,
  );
  const whole = new Response(new Blob([latin1("abc")]).stream(), {
    headers: { "content-length": "3" },
  });
  const limited = await start(whole).request();
  const tooLarge = await assertRejects(async () => await limited.body.bytes(2), ProxyError);
  assertEquals([limited.body.length, tooLarge.code], [3, "http_response_body_size"]);
});

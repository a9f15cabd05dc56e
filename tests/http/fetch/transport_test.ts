import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { createFetchTransport, type PlatformFetch } from "../../../src/http/fetch/transport.ts";
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
  request(request?: Partial<TransportRequest>, signal?: AbortSignal): Promise<
    Awaited<ReturnType<ReturnType<typeof createFetchTransport>>>
  >;
}

/** Creates a transport on a `fetch` with these outcomes, one after the other. */
function start(...outcomes: Outcome[]): World {
  const calls: Call[] = [];
  // Only passed on.
  const client = { close: () => {}, [Symbol.dispose]: () => {} } as Deno.HttpClient;
  const transport = createFetchTransport(client, (url, init) => {
    calls.push({ url: url.href, init });
    const outcome = outcomes.shift() ?? new Error("No more calls were expected");
    return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
  });
  return {
    calls,
    client,
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

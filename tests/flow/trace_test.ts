/**
 * Traces of the service as users start it: what a collector gets, what destinations are told and what the log
 * says belong together.
 */
import { assert, assertEquals, assertFalse, assertMatch, assertNotEquals } from "@std/assert";
import {
  connect,
  connectPlain,
  connectV1,
  type Frame,
  type TestClient,
} from "../helpers/client.ts";
import { startJwks } from "../helpers/jwks.ts";
import type { LogLine } from "../helpers/log.ts";
import { type ServiceProcess, startProcess } from "../helpers/process.ts";
import { latin1, startHttp } from "../helpers/upstream.ts";
import { type CollectedSpan, type OtlpValue, startCollector } from "../telemetry/collector.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const CALLER_ID = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE_ID}-${CALLER_ID}-01`;
const VALID = /^00-([0-9a-f]{32})-([0-9a-f]{16})-0[01]$/;
const PARENT_BASED = { OTEL_TRACES_SAMPLER: "parentbased_always_on" };

const SERVER = 2;
const CLIENT = 3;
const ERROR = 2;

/** What there was in the end. */
interface Traced {
  /** The service's own spans, one for each exchange. */
  readonly own: readonly CollectedSpan[];
  /** The service's own spans for the requests that it makes without fetch. */
  readonly hops: readonly CollectedSpan[];
  /** Those that Deno starts for fetch. */
  readonly fetches: readonly CollectedSpan[];
  readonly spans: readonly CollectedSpan[];
  readonly exchanged: readonly LogLine[];
  /** The header fields that came to the destination, by path. */
  readonly sent: ReadonlyMap<string, readonly Headers[]>;
}

/** What a script works with. */
interface World {
  readonly service: ServiceProcess;
  readonly origin: string;
  /** Fulfils when a path has been asked for. */
  readonly asked: (path: string) => Promise<void>;
  /** Asks the service to end, unless it was asked before. */
  readonly end: () => void;
}

type Settings = Record<string, string>;

const DIRECT: Settings = { HTTP_CLIENT: "direct" };

/** Runs a script of one connection against a service that exports its spans, and ends the service so that it has exported all. */
async function trace(
  script: (world: World) => Promise<void>,
  env: Settings = {},
  settings: (origin: string) => Settings = () => ({}),
): Promise<Traced> {
  await using collector = startCollector();
  const sent = new Map<string, Headers[]>();
  let onAsked = (): void => {};
  await using destination = startHttp(async ({ url, headers, method }) => {
    const { pathname } = new URL(url);
    sent.set(pathname, [...sent.get(pathname) ?? [], headers]);
    onAsked();
    if (pathname === "/hang") await new Promise<never>(() => {});
    if (pathname === "/redirect") return Response.redirect(new URL("/redirected", url));
    if (pathname === "/flaky" && sent.get(pathname)?.length === 1) {
      return new Response(null, { status: 503, headers: { "retry-after": "0" } });
    }
    return new Response(method, { status: Number(/^\/status\/(\d+)/.exec(pathname)?.[1] ?? 200) });
  });
  const { origin } = destination;
  await using service = await startProcess({
    ALLOW_HOSTS: "127.0.0.1:*",
    LOG_LEVEL: "debug",
    HTTP_CLIENT: "fetch",
    ...settings(origin),
    ...collector.env,
    ...env,
  });
  async function asked(path: string): Promise<void> {
    while (!sent.has(path)) await new Promise<void>((done) => onAsked = done);
  }
  let isEnding = false;
  function end(): void {
    if (!isEnding) service.kill("SIGTERM");
    isEnding = true;
  }
  await script({ service, origin, asked, end });
  const { exchanges } = await service.log.logged("disconnected");
  const exchanged = (): readonly LogLine[] =>
    service.log.lines.filter(({ event }) => event === "exchanged");
  await service.log.logged("exchanged", () => exchanged().length === exchanges);
  end();
  assertEquals((await service.status).code, 0);
  const { spans } = collector;
  return {
    own: spans.filter(({ scope, kind }) => scope === "wsfetch" && kind === SERVER),
    hops: spans.filter(({ scope, kind }) => scope === "wsfetch" && kind === CLIENT),
    fetches: spans.filter(({ scope, kind }) => scope === "deno" && kind === CLIENT),
    spans,
    exchanged: exchanged(),
    sent,
  };
}

function textOf(value: OtlpValue | undefined): unknown {
  return value?.["stringValue"];
}

/** Asks for paths of the destination, one after the other. */
async function askFor(
  client: TestClient,
  origin: string,
  requests: readonly { readonly path: string; readonly [member: string]: unknown }[],
): Promise<Frame[]> {
  const answers: Frame[] = [];
  for (const [index, { path, ...members }] of requests.entries()) {
    answers.push(
      await client.ask({ type: "request", id: index + 1, url: origin + path, ...members }),
    );
  }
  return answers;
}

/** The fields `traceparent` of the last request for a path, as one value. */
function parentSent({ sent }: Traced, path: string): string {
  return sent.get(path)?.at(-1)?.get("traceparent") ?? "";
}

/** The span of the exchange that was the so-many-th of its connection, which has one and no more. */
function spanOf({ own }: Traced, exchange: number): CollectedSpan {
  const found = own.filter(({ attributes }) =>
    attributes["wsfetch.exchange"]?.["intValue"] === String(exchange)
  );
  const [span] = found;
  if (span === undefined || found.length > 1) {
    throw new Error(`Exchange ${exchange} has ${found.length} spans`);
  }
  return span;
}

const CALLERS: readonly {
  readonly name: string;
  readonly headers: [string, string][];
  readonly isChild: boolean;
  readonly state?: string;
}[] = [
  { name: "none", headers: [], isChild: false },
  { name: "a caller", headers: [["traceparent", TRACEPARENT]], isChild: true },
  {
    name: "a caller with a state, in other letters",
    headers: [["TraceParent", TRACEPARENT], ["TRACESTATE", "vendor=1"]],
    isChild: true,
    state: "vendor=1",
  },
  {
    name: "a state in two fields",
    headers: [["traceparent", TRACEPARENT], ["tracestate", "a=1"], ["tracestate", "b=2"]],
    isChild: true,
    state: "a=1,b=2",
  },
  { name: "a caller that is not valid", headers: [["traceparent", "00-x-y-01"]], isChild: false },
  {
    name: "two callers",
    headers: [["traceparent", TRACEPARENT.replace("b7", "c7")], ["traceparent", TRACEPARENT]],
    isChild: false,
  },
];

for (
  const [title, env] of [["by default", {}], ["with a parent-based sampler", PARENT_BASED]] as const
) {
  Deno.test(`${title}, each exchange has one span, below its caller's and above its request's`, async () => {
    const isExposed = title === "by default";
    const traced = await trace(async ({ service, origin }) => {
      await using client = await connectV1(service.url);
      const requests = CALLERS.map(({ headers }, index) => ({ path: `/${index}`, headers }));
      for (const { status } of await askFor(client, origin, requests)) assertEquals(status, 200);
    }, env);
    assertEquals(traced.own.length, CALLERS.length);
    assertEquals(traced.fetches.length, isExposed ? CALLERS.length : 0);
    for (const [index, { name, isChild, state }] of CALLERS.entries()) {
      const span = spanOf(traced, index + 1);
      assertEquals([span.name, span.kind, span.status], ["GET", SERVER, 0], name);
      assertEquals(span.traceId === TRACE_ID, isChild, name);
      assertEquals(span.parentSpanId, isChild ? CALLER_ID : "", name);

      const [headers, ...others] = traced.sent.get(`/${index}`) ?? [];
      assertEquals(others, [], name);
      // Fields of one name come joined by commas: there is one, of our trace.
      const [, traceId, spanId] = VALID.exec(headers?.get("traceparent") ?? "") ?? [];
      assertEquals(traceId, span.traceId, `${name}: ${headers?.get("traceparent")}`);
      const fetched = traced.fetches.find((each) => each.spanId === spanId);
      assertEquals(isExposed ? fetched?.parentSpanId : spanId, span.spanId, name);
      assertEquals(headers?.get("tracestate") ?? undefined, state, name);

      const lines = traced.exchanged.filter((line) => line["traceId"] === span.traceId);
      const line = lines.find(({ exchange }) => exchange === index + 1);
      assertEquals(line?.["traceId"], span.traceId, name);
      assertEquals(textOf(span.attributes["wsfetch.connection"]), line?.["connection"], name);
    }
  });
}

Deno.test("a plain client's exchanges are traced as well, each by itself", async () => {
  const traced = await trace(async ({ service, origin }) => {
    await using client = await connectPlain(service.url);
    const headers = { traceparent: TRACEPARENT };
    await client.ask({ method: "GET", url: `${origin}/called`, headers });
    client.send({ id: 1, method: "GET", url: `${origin}/one` });
    client.send({ id: 2, method: "GET", url: `${origin}/two` });
    await client.take(2);
  }, PARENT_BASED);
  const [called, one, two] = [1, 2, 3].map((exchange) => spanOf(traced, exchange));
  assertEquals([called?.traceId, called?.parentSpanId], [TRACE_ID, CALLER_ID]);
  assertEquals(parentSent(traced, "/called"), `00-${TRACE_ID}-${called?.spanId}-01`);
  assertNotEquals(one?.traceId, two?.traceId);
  assertEquals(parentSent(traced, "/one"), `00-${one?.traceId}-${one?.spanId}-01`);
  assertEquals(parentSent(traced, "/two"), `00-${two?.traceId}-${two?.spanId}-01`);
});

Deno.test("exchanges that run side by side do not get into each other's traces", async () => {
  const count = 40;
  const traceOf = (id: number): string => id.toString(16).padStart(32, "a");
  const traced = await trace(async ({ service, origin }) => {
    await using client = await connectV1(service.url);
    for (let id = 1; id <= count; id++) {
      const headers = { traceparent: `00-${traceOf(id)}-${CALLER_ID}-01` };
      client.send({ type: "request", id, url: `${origin}/${id}`, headers });
    }
    await client.take(count);
  });
  assertEquals([traced.own.length, traced.fetches.length], [count, count]);
  for (let id = 1; id <= count; id++) {
    assertEquals(spanOf(traced, id).traceId, traceOf(id));
    const [, traceId, spanId] = VALID.exec(parentSent(traced, `/${id}`)) ?? [];
    const fetched = traced.fetches.find((span) => span.spanId === spanId);
    assertEquals([traceId, fetched?.parentSpanId], [traceOf(id), spanOf(traced, id).spanId]);
    const line = traced.exchanged.find(({ exchange }) => exchange === id);
    assertEquals(line?.["traceId"], traceOf(id));
  }
});

Deno.test("every request of an exchange, after a redirect or again, has that exchange's span above it", async () => {
  const traced = await trace(
    async ({ service, origin }) => {
      await using client = await connectV1(service.url);
      const answers = await askFor(client, origin, [{ path: "/redirect" }]);
      answers.push(await client.ask({ type: "request", id: 9, url: "shop:/flaky" }));
      assertEquals(answers.map(({ status }) => status), [200, 200]);
    },
    {},
    (origin) => ({
      UPSTREAMS: JSON.stringify({
        shop: { baseUrl: origin, retry: { attempts: 2, backoffMs: 1, maxBackoffMs: 1 } },
      }),
    }),
  );
  const [redirected, retried] = [spanOf(traced, 1), spanOf(traced, 2)];
  const parents = traced.fetches.map(({ parentSpanId }) => parentSpanId).toSorted();
  const { spanId: first } = redirected;
  const { spanId: second } = retried;
  assertEquals(parents, [first, first, second, second].toSorted());
  assertEquals(traced.sent.get("/flaky")?.length, 2);
  for (const path of ["/redirect", "/redirected", "/flaky"]) {
    for (const headers of traced.sent.get(path) ?? []) {
      assertMatch(headers.get("traceparent") ?? "", VALID);
    }
  }
  assertEquals(textOf(retried.attributes["wsfetch.upstream"]), "shop");
});

Deno.test("spans tell how exchanges have ended", async () => {
  const traced = await trace(async ({ service, origin, asked }) => {
    await using client = await connectV1(service.url);
    await askFor(client, origin, [
      { path: "/status/404" },
      { path: "/status/503" },
      { path: "/hang", timeoutMs: 20 },
      { path: "/x", url: "http://10.0.0.1/" },
      { path: "/x", url: "nobody:/" },
      { path: "/x", method: "TRACK" },
    ]);
    client.send({ type: "request", id: 9, url: `${origin}/hang` });
    client.send({ type: "request", id: 10, url: `${origin}/gone`, stream: true });
    await asked("/gone");
    client.send({ type: "cancel", id: 9 });
  });
  const ends = [1, 2, 3, 4, 5, 6, 7].map((exchange) => {
    const { status, attributes } = spanOf(traced, exchange);
    return [status, textOf(attributes["error.type"]), textOf(attributes["wsfetch.outcome"])];
  });
  assertEquals(ends, [
    [0, undefined, "response"],
    [ERROR, "503", "response"],
    [ERROR, "http_response_timeout", "error"],
    [ERROR, "destination_ip_prohibited", "error"],
    [ERROR, "unknown_upstream", "error"],
    [ERROR, "unsupported_method", "error"],
    [0, undefined, "cancelled"],
  ]);
  assertEquals(traced.own.length, 8);
  const { attributes } = spanOf(traced, 1);
  assertEquals(attributes["http.response.status_code"], { intValue: "404" });
  assertEquals(textOf(attributes["server.address"]), "127.0.0.1");
});

Deno.test("exchanges that are refused before they begin have a span as well, below their caller's", async () => {
  const headers = { traceparent: TRACEPARENT };
  const traced = await trace(
    async ({ service, origin, asked, end }) => {
      await using client = await connectV1(service.url);
      const request = { type: "request", url: `${origin}/hang`, headers };
      const codes = [
        await client.ask({ ...request, id: 1, wrong: 1 }),
        await client.ask({ ...request, id: 2, url: "nowhere" }),
      ];
      client.send({ ...request, id: 3 });
      await asked("/hang");
      codes.push(await client.ask({ ...request, id: 4 }));
      end();
      assertEquals((await client.next()).type, "goaway");
      codes.push(await client.ask({ ...request, id: 5 }));
      client.send({ type: "cancel", id: 3 });
      assertEquals(codes.map(({ code }) => code), [
        "bad_request",
        "bad_request",
        "too_many_in_flight",
        "draining",
      ]);
    },
    PARENT_BASED,
    () => ({ MAX_IN_FLIGHT: "1" }),
  );
  assertEquals(traced.own.length, 5);
  const refused = [
    { exchange: 1, name: "HTTP", type: "bad_request", isRead: false },
    { exchange: 2, name: "HTTP", type: "bad_request", isRead: false },
    { exchange: 4, name: "GET", type: "too_many_in_flight", isRead: true },
    { exchange: 5, name: "GET", type: "draining", isRead: true },
  ];
  for (const { exchange, name, type, isRead } of refused) {
    const span = spanOf(traced, exchange);
    assertEquals([span.name, span.kind, span.status], [name, SERVER, ERROR], type);
    assertEquals(span.parentSpanId, isRead ? CALLER_ID : "", type);
    assertEquals(span.traceId === TRACE_ID, isRead, type);
    assertEquals(textOf(span.attributes["error.type"]), type);
    assertEquals(textOf(span.attributes["wsfetch.outcome"]), "error");
    const line = traced.exchanged.find((line) => line.exchange === exchange);
    assertEquals([line?.traceId, line?.code], [span.traceId, type]);
  }
});

Deno.test("an exchange that comes when the credential has expired has a span below its caller's", async () => {
  await using jwks = await startJwks();
  let exchange = 0;
  const traced = await trace(
    async ({ service }) => {
      const token = latin1(await jwks.sign({ exp: Math.floor(Date.now() / 1000) + 2 }));
      const bearer = `bearer.${token.toBase64({ alphabet: "base64url", omitPadding: true })}`;
      await using client = await connect(service.url, ["wsfetch.v1", bearer]);
      await client.next();
      const headers = { traceparent: TRACEPARENT };
      for (let code = ""; code !== "unauthorized"; exchange++) {
        ({ code } = await client.ask({ type: "request", id: 1, url: "nobody:/", headers }));
        await new Promise((resolve) => setTimeout(resolve, 10)); // a refusal has its price
      }
    },
    PARENT_BASED,
    () => ({ JWT_JWKS_URL: jwks.url.href, ALLOW_HOSTS: "public" }),
  );
  const span = spanOf(traced, exchange);
  assertEquals([span.traceId, span.parentSpanId], [TRACE_ID, CALLER_ID]);
  assertEquals(textOf(span.attributes["error.type"]), "unauthorized");
});

/** A text in every place of a request where one can be. */
const mark = (name: string): string => `mark-${name}-Qj7Mk`;

async function askWithMarks({ service, origin }: World): Promise<void> {
  await using client = await connectV1(service.url);
  await askFor(client, origin, [
    {
      path: `/${mark("path")}?${mark("name")}=${mark("value")}`,
      headers: { "x-mark": mark("header"), authorization: `Bearer ${mark("token")}` },
      method: "POST",
      text: mark("body"),
    },
  ]);
  const { status } = await client.ask({
    type: "request",
    id: 9,
    upstream: "shop",
    path: `/${mark("below")}?${mark("query")}`,
  });
  assertEquals(status, 200);
}

const withShop = (origin: string): Settings => ({
  UPSTREAMS: JSON.stringify({
    shop: { baseUrl: `${origin}/${mark("base")}/`, headers: { "x-key": mark("key") } },
  }),
});

Deno.test("no span of the service holds a path, a query, a header field or a body", async () => {
  const traced = await trace(askWithMarks, {}, withShop);
  assert(traced.own.length >= 2);
  assertFalse(JSON.stringify(traced.own).includes("mark-"), JSON.stringify(traced.own));
  // Deno's do, which is what the next test is for.
  assert(JSON.stringify(traced.fetches).includes(mark("path")));
  assertFalse(JSON.stringify(traced.spans).includes(mark("header")));
});

Deno.test("with a parent-based sampler nothing that is exported holds a destination's URL", async () => {
  const traced = await trace(askWithMarks, PARENT_BASED, withShop);
  assert(traced.own.length >= 2);
  assertEquals(traced.fetches, []);
  assertFalse(JSON.stringify(traced.spans).includes("mark-"), JSON.stringify(traced.spans));
});

for (
  const [title, env] of [["by default", {}], ["with a parent-based sampler", PARENT_BASED]] as const
) {
  Deno.test(`${title}, each request without fetch has a span, below its exchange's and told to the destination`, async () => {
    const traced = await trace(async ({ service, origin }) => {
      await using client = await connectV1(service.url);
      const requests = CALLERS.map(({ headers }, index) => ({ path: `/${index}`, headers }));
      for (const { status } of await askFor(client, origin, requests)) assertEquals(status, 200);
    }, { ...env, ...DIRECT });
    assertEquals([traced.own.length, traced.hops.length], [CALLERS.length, CALLERS.length]);
    assertEquals(traced.fetches, []);
    for (const [index, { name, state }] of CALLERS.entries()) {
      const { traceId, spanId } = spanOf(traced, index + 1);
      const hop = traced.hops.find(({ parentSpanId }) => parentSpanId === spanId);
      assertEquals([hop?.name, hop?.traceId, hop?.status], ["GET", traceId, 0], name);
      const headers = traced.sent.get(`/${index}`)?.[0];
      assertEquals(headers?.get("traceparent"), `00-${traceId}-${hop?.spanId}-01`, name);
      assertEquals(headers?.get("tracestate") ?? undefined, state, name);
    }
  });
}

Deno.test("a span of a request has the attributes of an HTTP client, and no URL", async () => {
  const ends = ["/fine", "/status/404", "/status/503", "/redirect"];
  let port = "";
  const traced = await trace(
    async ({ service, origin }) => {
      ({ port } = new URL(origin));
      await using client = await connectV1(service.url);
      await askFor(client, origin, ends.map((path) => ({ path: `${path}?${mark("query")}` })));
      const gone = startHttp(() => new Response());
      await gone[Symbol.asyncDispose]();
      const refused = await client.ask({ type: "request", id: 9, url: gone.origin, method: "PUT" });
      assertEquals(refused.code, "connection_refused");
      const again = await client.ask({ type: "request", id: 9, url: "shop:/flaky" });
      assertEquals(again.status, 200);
    },
    DIRECT,
    (origin) => ({
      UPSTREAMS: JSON.stringify({
        shop: { baseUrl: origin, retry: { attempts: 2, backoffMs: 1, maxBackoffMs: 1 } },
      }),
    }),
  );
  function hopsOf(exchange: number): readonly CollectedSpan[] {
    const { spanId } = spanOf(traced, exchange);
    return traced.hops.filter(({ parentSpanId }) => parentSpanId === spanId);
  }
  const values = ({ attributes }: CollectedSpan): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [name, Object.values(value)[0]]),
    );
  const common = {
    "http.request.method": "GET",
    "server.address": "127.0.0.1",
    "server.port": port,
    "url.scheme": "http",
    "network.protocol.version": "1.1",
  };
  const statusOf = (status: number) => ({ "http.response.status_code": String(status) });
  const failed = (type: string) => ({ "error.type": type });
  const resent = { "http.request.resend_count": "1" };
  const [fine, missing, down, redirected, refused, retried] = [1, 2, 3, 4, 5, 6].map((exchange) =>
    hopsOf(exchange).map((span) => [span.kind, span.name, span.status, values(span)])
  );
  assertEquals(fine, [[CLIENT, "GET", 0, { ...common, ...statusOf(200) }]]);
  assertEquals(missing, [
    [CLIENT, "GET", ERROR, { ...common, ...statusOf(404), ...failed("404") }],
  ]);
  assertEquals(down, [[CLIENT, "GET", ERROR, { ...common, ...statusOf(503), ...failed("503") }]]);
  assertEquals(redirected, [
    [CLIENT, "GET", 0, { ...common, ...statusOf(302) }],
    [CLIENT, "GET", 0, { ...common, ...statusOf(200), ...resent }],
  ]);
  assertEquals(
    refused?.map(([, name, status, values]) => [name, status, Object(values)["error.type"]]),
    [["PUT", ERROR, "connection_refused"]],
  );
  assertEquals(retried, [
    [CLIENT, "GET", ERROR, { ...common, ...statusOf(503), ...failed("503") }],
    [CLIENT, "GET", 0, { ...common, ...statusOf(200), ...resent }],
  ]);
  assertFalse(JSON.stringify(traced.hops).includes("mark-"));
});

Deno.test("requests that run side by side do not get into each other's spans", async () => {
  const count = 40;
  const traced = await trace(async ({ service, origin }) => {
    await using client = await connectV1(service.url);
    for (let id = 1; id <= count; id++) {
      client.send({ type: "request", id, url: `${origin}/${id}` });
    }
    await client.take(count);
  }, DIRECT);
  assertEquals([traced.own.length, traced.hops.length], [count, count]);
  for (let id = 1; id <= count; id++) {
    const { traceId, spanId } = spanOf(traced, id);
    const [hop] = traced.hops.filter(({ parentSpanId }) => parentSpanId === spanId);
    assertEquals(parentSent(traced, `/${id}`), `00-${traceId}-${hop?.spanId}-01`);
  }
});

Deno.test("without OpenTelemetry nothing is traced, and a client's trace goes on as it is", async () => {
  const headers = [["TraceParent", TRACEPARENT], ["tracestate", "vendor=1"]];
  const traced = await trace(async ({ service, origin }) => {
    await using client = await connectV1(service.url);
    await askFor(client, origin, [{ path: "/called", headers }, { path: "/alone" }]);
  }, { OTEL_DENO: "false" });
  assertEquals(traced.spans, []);
  const [called, alone] = ["/called", "/alone"].map((path) => traced.sent.get(path)?.[0]);
  assertEquals(called?.get("traceparent"), TRACEPARENT);
  assertEquals(called?.get("tracestate"), "vendor=1");
  assertEquals(alone?.has("traceparent"), false);
  assertEquals(traced.exchanged.map((line) => "traceId" in line), [false, false]);
});

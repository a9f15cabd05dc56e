/**
 * A script of everything that may happen, and a ledger of what did, which `/metrics` has to agree with.
 */
import { assert, assertEquals } from "@std/assert";
import { createResolver } from "../../src/policy/resolver.ts";
import { encodeChunk } from "../../src/protocol/mod.ts";
import {
  connect,
  connectPlain,
  connectV1,
  type Frame,
  type TestClient,
} from "../helpers/client.ts";
import { startJwks } from "../helpers/jwks.ts";
import { connectRaw, rawFrame, TEXT } from "../helpers/raw_client.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { type HttpUpstream, startHttp } from "../helpers/upstream.ts";
import { type Family, parseExposition } from "../telemetry/exposition.ts";

/** What the script knows of an exchange that has ended. */
interface Ended {
  /** An error's code, `response` or `cancelled`. */
  readonly code: string;
  readonly method?: string;
  readonly upstream?: string;
  /** Of the head that came. */
  readonly status?: number;
  /** Bytes of the bodies. */
  readonly sent?: number;
  readonly received?: number;
  /** `false`: it was refused before it began. */
  readonly begun?: false;
}

/** Counts by sample: `name{label="value"}`. */
interface Ledger {
  add(name: string, labels?: Readonly<Record<string, string>>, by?: number): void;
  ended(exchange: Ended): void;
  readonly exchanges: () => number;
  readonly counts: () => Record<string, number>;
}

function createLedger(): Ledger {
  const counts: Record<string, number> = {};
  let exchanges = 0;
  const ledger: Ledger = {
    add(name, labels = {}, by = 1): void {
      if (by === 0) return;
      const key = toKey(`wsfetch_${name}`, labels);
      counts[key] = (counts[key] ?? 0) + by;
    },
    ended({ code, method = "GET", upstream = "", status, sent = 0, received = 0, begun }): void {
      exchanges++;
      ledger.add("exchanges_total", { code, method, upstream });
      ledger.add("request_bytes_total", { upstream }, sent);
      ledger.add("response_bytes_total", { upstream }, received);
      if (begun !== false) ledger.add("exchange_duration_seconds_count", { upstream });
      if (status === undefined) return;
      ledger.add("responses_total", { status: `${Math.floor(status / 100)}xx`, upstream });
      ledger.add("exchange_head_seconds_count", { upstream });
    },
    exchanges: () => exchanges,
    counts: () => counts,
  };
  return ledger;
}

function toKey(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).toSorted().map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}

type Families = ReadonlyMap<string, Family>;

async function readMetrics({ origin }: Service, token?: string): Promise<Families> {
  const response = await fetch(`${origin}/metrics`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  assertEquals(response.status, 200);
  const text = await response.text();
  assertOrdered(text);
  const families = parseExposition(text);
  families.forEach(assertFamily);
  return families;
}

/** Each family is its HELP, its TYPE and its samples, in one place. */
function assertOrdered(text: string): void {
  assert(text.endsWith("\n"));
  const seen = new Set<string>();
  let [helped, typed] = ["", ""];
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const [, kind, name = ""] = /^# (HELP|TYPE) (\S+) \S/.exec(line) ?? [];
    if (kind === "HELP") {
      assertEquals(seen.has(name), false, `${name} is there twice`);
      seen.add(helped = name);
    } else if (kind === "TYPE") {
      assertEquals(name, helped, line);
      typed = name;
    } else {
      assert(typed === helped && line.startsWith(typed), line);
    }
  }
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: [""],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"],
};

function assertFamily({ type, samples }: Family, name: string): void {
  const names = SUFFIXES[type]?.map((suffix) => name + suffix);
  const keys = samples.map((sample) => toKey(sample.name, sample.labels));
  assertEquals(new Set(keys).size, keys.length, `${name} has a sample twice`);
  for (const sample of samples) assert(names?.includes(sample.name), `${sample.name} is a ${type}`);
  if (type !== "gauge") assert(samples.every(({ value }) => value >= 0), name);
  if (type === "histogram") assertHistograms(name, samples);
}

/** Buckets grow, in their bounds and in their counts, and the last has everything. */
function assertHistograms(name: string, samples: Family["samples"]): void {
  const of = (suffix: string, series: string): Family["samples"] =>
    samples.filter((sample) =>
      sample.name === name + suffix && sample.labels["upstream"] === series
    );
  for (const series of new Set(samples.map(({ labels }) => labels["upstream"] ?? ""))) {
    const buckets = of("_bucket", series);
    const bounds = buckets.map(({ labels }) => Number(labels["le"]?.replace("+Inf", "Infinity")));
    const counts = buckets.map(({ value }) => value);
    assertEquals(bounds, [...new Set(bounds)].toSorted((a, b) => a - b), name);
    assertEquals(counts, counts.toSorted((a, b) => a - b), name);
    const [[total], [seconds]] = [of("_count", series), of("_sum", series)];
    assertEquals([bounds.at(-1), counts.at(-1)], [Infinity, total?.value], name);
    const least = counts.reduce(
      (sum, count, i) => sum + (count - (counts[i - 1] ?? 0)) * (bounds[i - 1] ?? 0),
      0,
    );
    assert(seconds !== undefined && seconds.value >= least, `${name}: ${seconds?.value} seconds`);
  }
}

/** Everything that only grows and is not 0, but for seconds. */
function countsOf(families: Families): Record<string, number> {
  const samples = [...families.values()].flatMap(({ type, samples }) =>
    samples.filter(({ name }) => type === "counter" || name.endsWith("_count"))
  );
  return Object.fromEntries(
    samples.filter(({ value }) => value !== 0)
      .map(({ name, labels, value }) => [toKey(name, labels), value]),
  );
}

function gauge(families: Families, name: string): number | undefined {
  return families.get(`wsfetch_${name}`)?.samples[0]?.value;
}

/** The seconds of a histogram, over all upstreams. */
function secondsOf(families: Families, name: string): number {
  return (families.get(name)?.samples ?? []).filter((sample) => sample.name === `${name}_sum`)
    .reduce((sum, { value }) => sum + value, 0);
}

/** Fulfils when so many lines of an event were logged. */
function loggedTimes(service: Service, event: string, count: number): Promise<unknown> {
  if (count === 0) return Promise.resolve();
  return service.logged(
    event,
    () => service.log.filter((line) => line.event === event).length >= count,
  );
}

/** Histograms, and the members of log lines that they add up. */
const TIMES = [
  ["exchange_duration", "totalMs"],
  ["exchange_head", "waitMs"],
  ["connect", "connectMs"],
] as const;

/** Compares, once everything that was begun has ended. */
async function assertAgreed(
  service: Service,
  { connections, ledger, token }: { connections: number; ledger: Ledger; token?: string },
): Promise<void> {
  await loggedTimes(service, "disconnected", connections);
  await loggedTimes(service, "exchanged", ledger.exchanges());
  ledger.add("connections_total", {}, connections);
  const lines = service.log.filter(({ event }) => event === "exchanged");
  assertEquals(lines.length, ledger.exchanges());
  // Which exchanges find an idle connection is up to the script's timing: the log tells.
  for (const { connectMs, upstream = "" } of lines) {
    if (connectMs !== undefined) {
      ledger.add("connect_seconds_count", { upstream: String(upstream) });
    }
  }
  const families = await readMetrics(service, token);
  assertEquals(countsOf(families), ledger.counts());
  assertEquals(gauge(families, "open_connections"), 0);
  assertEquals(gauge(families, "exchanges_in_flight"), 0);
  const seconds = (member: string): number =>
    lines.reduce((sum, line) => sum + Number(line[member] ?? 0), 0) / 1000;
  for (const [name, member] of TIMES) {
    const difference = secondsOf(families, `wsfetch_${name}_seconds`) - seconds(member);
    assert(Math.abs(difference) < 1e-6, `${name}: ${difference} s`);
  }
  assertEquals(service.log.filter(({ event }) => event === "failed"), []);
}

const EVENTS = "id: é\nevent: tück\ndata: ön\n\ndata: zwei\n\n";
// Counted for an event: its data, the type that it names and the last id, which each repeats.
const EVENT_BYTES = byteLength("ön") + byteLength("tück") + 2 * byteLength("é") +
  byteLength("zwei");
const MIB = 2 ** 20;

function byteLength(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}

/** A server for the script; `/hang` answers nothing, `/endless` does not end. */
function startDestination(asked: (path: string) => void): HttpUpstream {
  return startHttp(async (request) => {
    const { pathname } = new URL(request.url);
    asked(pathname);
    const [, kind = "", number = ""] = pathname.split("/");
    switch (kind) {
      case "hang":
        return await new Promise<never>(() => {});
      case "endless":
        return new Response(
          new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(16_384)) }),
        );
      case "bytes":
        return new Response(new Uint8Array(Number(number)));
      case "status":
        return new Response(null, { status: Number(number) });
      case "loop":
        return Response.redirect(request.url);
      case "once":
        return Response.redirect(new URL("/bytes/5", request.url));
      case "inside":
        return Response.redirect("http://10.0.0.1/");
      case "events":
        return new Response(EVENTS, { headers: { "content-type": "text/event-stream" } });
      default:
        return new Response(await request.arrayBuffer()); // an echo
    }
  });
}

/** A port where nobody listens. */
function findClosedPort(): number {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return listener.addr.port;
}

/** Exchanges of a connection in wsfetch.v1; `O` in a URL is the destination's origin, `CLOSED` one of nobody. */
const EXCHANGES: readonly { readonly ask: Frame; readonly ended: Ended; readonly also?: string }[] =
  [
    { ask: { url: "O/bytes/5" }, ended: { code: "response", status: 200, received: 5 } },
    { ask: { url: "O/once" }, ended: { code: "response", status: 200, received: 5 } },
    { ask: { url: "O/status/204" }, ended: { code: "response", status: 204 } },
    { ask: { url: "O/status/404" }, ended: { code: "response", status: 404 } },
    { ask: { url: "O/status/503" }, ended: { code: "response", status: 503 } },
    {
      ask: { url: "O/once", redirect: "manual" },
      ended: { code: "response", status: 302 },
    },
    {
      ask: { url: "O/echo", method: "post", json: { a: 1 } },
      ended: { code: "response", method: "POST", status: 200, sent: 7, received: 7 },
    },
    {
      ask: { url: "O/echo", method: "PUT", text: "zwölf" },
      ended: { code: "response", method: "PUT", status: 200, sent: 6, received: 6 },
    },
    {
      ask: { url: "O/bytes/3", method: "HEAD" },
      ended: { code: "response", method: "HEAD", status: 200 },
    },
    {
      ask: { upstream: "shop", path: "/5" },
      ended: { code: "response", upstream: "shop", status: 200, received: 5 },
    },
    {
      ask: { url: "shop:/6" },
      ended: { code: "response", upstream: "shop", status: 200, received: 6 },
    },
    {
      ask: { url: "shop:/6", method: "DELETE" },
      ended: { code: "http_request_denied", method: "DELETE", upstream: "shop" },
      also: "method",
    },
    {
      ask: { url: "shop:/secret" },
      ended: { code: "http_request_denied", upstream: "shop" },
      also: "path",
    },
    { ask: { url: "shop:/../x" }, ended: { code: "http_request_denied", upstream: "shop" } },
    { ask: { url: "mail:/" }, ended: { code: "forbidden", upstream: "mail" } },
    { ask: { url: "nobody:/" }, ended: { code: "unknown_upstream" } },
    {
      ask: { url: "http://10.0.0.1/" },
      ended: { code: "destination_ip_prohibited" },
      also: "private",
    },
    { ask: { url: "O/inside" }, ended: { code: "destination_ip_prohibited" }, also: "private" },
    {
      ask: { url: "http://denied.test/" },
      ended: { code: "http_request_denied" },
      also: "deny-list",
    },
    {
      ask: { url: "http://u@gone.test/" },
      ended: { code: "http_request_denied" },
      also: "userinfo",
    },
    { ask: { url: "http://gone.test/" }, ended: { code: "dns_error" } },
    { ask: { url: "CLOSED/" }, ended: { code: "connection_refused" } },
    { ask: { url: "O/hang", timeoutMs: 30 }, ended: { code: "http_response_timeout" } },
    { ask: { url: "O/loop" }, ended: { code: "too_many_redirects" } },
    {
      ask: { url: "O/bytes/2049" },
      ended: { code: "http_response_body_size", status: 200 },
    },
    {
      ask: { url: "O/echo", method: "POST", text: "x".repeat(1025) },
      ended: { code: "request_too_large", method: "POST", sent: 1025 },
    },
    { ask: { url: "O/", method: "PURGE" }, ended: { code: "unsupported_method", method: "other" } },
    { ask: {}, ended: { code: "bad_request", method: "other", begun: false } },
    { ask: { url: "O/", wrong: 1 }, ended: { code: "bad_request", method: "other", begun: false } },
    {
      ask: { url: "O/events", stream: "events" },
      ended: { code: "response", status: 200, received: EVENT_BYTES },
    },
    {
      ask: { url: "O/events", stream: "lines" },
      ended: {
        code: "response",
        status: 200,
        received: byteLength(EVENTS.replaceAll("\n", "")),
      },
    },
  ];

/** Asks, takes everything that comes for it, and gives the first frame. */
async function askAll(client: TestClient, frame: Frame): Promise<Frame> {
  const first = await client.ask(frame);
  for (let last = first; last.stream === true || last.type === "event";) last = await client.next();
  return first;
}

Deno.test("metrics agree with a script of exchanges that answer, stream, fail, are cancelled and vanish", async () => {
  const asked = new Map<string, number>();
  let onAsked = (): void => {};
  await using destination = startDestination((path) => {
    asked.set(path, (asked.get(path) ?? 0) + 1);
    onAsked();
  });
  /** Fulfils when a path was asked for so many times. */
  async function whenAsked(path: string, times: number): Promise<void> {
    while ((asked.get(path) ?? 0) < times) await new Promise<void>((done) => onAsked = done);
  }
  const { origin } = destination;
  const closed = `http://127.0.0.1:${findClosedPort()}`;
  const url = (path: string): string => `${origin}${path}`;
  await using service = startService({
    ALLOW_HOSTS: "public,127.0.0.1:*,*.test",
    DENY_HOSTS: "denied.test",
    MAX_RESPONSE_BYTES: "2048",
    MAX_REQUEST_BYTES: "1024",
    MAX_FRAME_BYTES: "70000",
    MAX_IN_FLIGHT: "8",
    UPSTREAMS: JSON.stringify({
      shop: { baseUrl: url("/bytes/"), methods: ["GET"], paths: ["/:number(\\d+)"] },
      mail: { baseUrl: url("/"), identities: ["alice"] },
    }),
  }, {
    resolver: createResolver({
      lookup: (host) =>
        host === "denied.test" ? Promise.resolve(["192.0.2.1"]) : Promise.reject(new Error(host)),
    }),
  });
  const ledger = createLedger();
  const cancelled = { code: "cancelled" } as const;
  let connections = 0;

  {
    connections++;
    await using client = await connectV1(service.url);
    for (const [index, { ask, ended, also }] of EXCHANGES.entries()) {
      const { code, status } = ended;
      const first = await askAll(client, {
        type: "request",
        id: index + 1,
        ...ask,
        ...(ask.url !== undefined && {
          url: ask.url.replace(/^O/, origin).replace(/^CLOSED/, closed),
        }),
      });
      const what = `${JSON.stringify(ask)}: ${JSON.stringify(first)}`;
      assertEquals(first.code ?? "response", code, what);
      if (code === "response") assertEquals(first.status, status, what);
      ledger.ended(ended);
      if (also !== undefined) ledger.add("policy_denials_total", { reason: also });
    }

    // A body in chunks, down…
    let received = 0;
    client.send({ type: "request", id: 100, url: url(`/bytes/${MIB}`), stream: true });
    for (let frame = await client.next(); !frame.fin; frame = await client.next()) {
      received += frame.payload?.byteLength ?? 0;
    }
    assertEquals(received, MIB);
    ledger.ended({ code: "response", status: 200, received });
    // …and up, and down again.
    client.send({
      type: "request",
      id: 101,
      method: "POST",
      url: url("/echo"),
      bodyFollows: true,
      stream: true,
    });
    const payload = new Uint8Array(50_000);
    for (const fin of [false, false, true]) client.send(encodeChunk({ id: 101, payload, fin }));
    for (let frame = await client.next(); !frame.fin; frame = await client.next());
    ledger.ended({
      code: "response",
      method: "POST",
      status: 200,
      sent: 150_000,
      received: 150_000,
    });

    // A chunk for a request that has no body to follow.
    client.send({ type: "request", id: 102, url: url("/hang") });
    const { code } = await client.ask(
      encodeChunk({ id: 102, payload: new Uint8Array(9), fin: true }),
    );
    assertEquals(code, "flow_control_error");
    ledger.ended({ code, sent: 9 });

    // Cancelled before its head, behind so much of its body, and when it had ended.
    client.send({ type: "request", id: 103, url: url("/hang/cancel") });
    await whenAsked("/hang/cancel", 1);
    client.send({ type: "cancel", id: 103 });
    ledger.ended(cancelled);
    client.send({
      type: "request",
      id: 104,
      url: url("/endless"),
      stream: true,
      windowBytes: 65_536,
    });
    assertEquals((await client.next()).status, 200);
    for (let taken = 0; taken < 65_536;) taken += (await client.next()).payload.byteLength;
    client.send({ type: "cancel", id: 104 });
    ledger.ended({ ...cancelled, status: 200, received: 65_536 });
    await client.ask({ type: "request", id: 105, url: url("/bytes/1") });
    ledger.ended({ code: "response", status: 200, received: 1 });
    client.send({ type: "cancel", id: 105 });
    await service.logged("exchanged", ({ id, outcome }) => id === 104 && outcome === "cancelled");

    // What is no exchange.
    assertEquals((await client.ask({ type: "ping" })).type, "pong");
    assertEquals((await client.ask("junk")).code, "bad_frame");
    ledger.add("malformed_frames_total", { code: "bad_frame" });
    assertEquals((await client.ask("x".repeat(70_001))).code, "frame_too_large");
    ledger.add("malformed_frames_total", { code: "frame_too_large" });

    // One too many.
    for (let id = 1; id <= 8; id++) client.send({ type: "request", id, url: url("/hang/full") });
    await whenAsked("/hang/full", 8);
    assertEquals(
      (await client.ask({ type: "request", id: 9, url: url("/") })).code,
      "too_many_in_flight",
    );
    ledger.ended({ code: "too_many_in_flight", begun: false });
    ledger.add("limit_refusals_total", { limit: "connection_in_flight" });
    const now = await readMetrics(service);
    assertEquals([gauge(now, "exchanges_in_flight"), gauge(now, "open_connections")], [8, 1]);
    for (let id = 1; id <= 8; id++) ledger.ended(cancelled); // the connection ends
  }
  ledger.add("disconnects_total", { code: "1005" });

  {
    connections++;
    await using client = await connectPlain(service.url);
    const plain = { method: "GET", url: url("/bytes/4") };
    assertEquals((await client.ask(plain)).status_code, 200);
    ledger.ended({ code: "response", status: 200, received: 4 });
    assertEquals(
      (await client.ask({ method: "POST", url: url("/echo"), data: "abc" })).content,
      "abc",
    );
    ledger.ended({ code: "response", method: "POST", status: 200, sent: 3, received: 3 });
    assertEquals((await client.ask({ method: "GET", url: "shop:/7" })).status_code, 200);
    ledger.ended({ code: "response", upstream: "shop", status: 200, received: 7 });
    // Only with an id it is an exchange that has failed.
    assertEquals((await client.ask({ url: url("/") })).code, "bad_request");
    ledger.add("malformed_frames_total", { code: "bad_request" });
    assertEquals((await client.ask({ id: "x", url: url("/") })).code, "bad_request");
    ledger.ended({ code: "bad_request", method: "other", begun: false });
    client.webSocket.close(1000);
    await client.closed;
  }
  ledger.add("disconnects_total", { code: "1000" });

  // Sixteen malformed frames, and an id that is in use.
  for (const [code, frames] of [[4500, 16], [4509, 2]] as const) {
    connections++;
    await using client = await connectV1(service.url);
    for (let i = 0; i < frames; i++) {
      client.send(code === 4500 ? "{" : { type: "request", id: 1, url: url("/hang") });
    }
    assertEquals((await client.closed).code, code);
    ledger.add("disconnects_total", { code: String(code) });
    if (code === 4509) ledger.ended(cancelled);
    else ledger.add("malformed_frames_total", { code: "bad_frame" }, frames);
  }

  // A client that vanishes.
  {
    connections++;
    using client = await connectRaw(service.port, { "sec-websocket-protocol": "wsfetch.v1" });
    for (const id of [1, 2, 3]) {
      const frame = { type: "request", id, url: url("/hang/gone") };
      await client.write(rawFrame(TEXT, JSON.stringify(frame)));
      ledger.ended(cancelled);
    }
    await whenAsked("/hang/gone", 3);
  }
  ledger.add("disconnects_total", { code: "0" });

  // A client that reads slowly, but everything.
  {
    connections++;
    using client = await connectRaw(service.port, { "sec-websocket-protocol": "wsfetch.v1" });
    const size = 16 * MIB;
    const frame = { type: "request", id: 1, url: url(`/bytes/${size}`), stream: true };
    await client.write(rawFrame(TEXT, JSON.stringify(frame)));
    await service.logged("paused");
    await client.readToEnd(encodeChunk({ id: 1, payload: new Uint8Array(), fin: true }));
    ledger.ended({ code: "response", status: 200, received: size });
    await client.write(rawFrame(0x88, new Uint8Array([3, 232])));
    await client.readToEnd();
  }
  ledger.add("disconnects_total", { code: "1000" });
  await loggedTimes(service, "disconnected", connections);
  // How often it was held back is the system's business.
  const pauses = service.log.filter(({ event }) => event === "paused").length;
  ledger.add("connection_pauses_total", {}, pauses);

  await assertAgreed(service, { connections, ledger });
});

function bearer(token: string): string {
  const text = new TextEncoder().encode(token);
  return `bearer.${text.toBase64({ alphabet: "base64url", omitPadding: true })}`;
}

Deno.test("metrics agree with a script of handshakes, credentials and limits", async () => {
  await using jwks = await startJwks();
  await using destination = startHttp(() => new Response("1234"));
  await using service = startService({
    ...LOOPBACK,
    JWT_JWKS_URL: jwks.url.href,
    AUTH_TOKENS: "bob:token-of-bob,carol:token-of-carol",
    LIMIT_CONNECTIONS: "1",
    LIMIT_REQUESTS_PER_SECOND: "5",
    MAX_CONNECTIONS: "2",
  });
  const ledger = createLedger();
  const bob = { authorization: "Bearer token-of-bob" };
  async function refuse(
    headers: Record<string, string | undefined>,
    [status, code]: readonly [number, string],
  ): Promise<void> {
    using client = await connectRaw(service.port, headers);
    assert(client.answer.startsWith(`HTTP/1.1 ${status} `), client.answer);
    ledger.add("handshakes_refused_total", { code });
  }

  await refuse({}, [401, "unauthorized"]);
  await refuse({ authorization: "Bearer of-nobody" }, [401, "unauthorized"]);
  await refuse({ authorization: `Bearer ${await jwks.sign({ exp: 1 })}` }, [401, "unauthorized"]);
  await refuse({ authorization: "Bearer a b" }, [400, "bad_handshake"]);
  await refuse({ ...bob, origin: "https://evil.example" }, [403, "origin_not_allowed"]);
  await refuse({ ...bob, upgrade: undefined }, [426, "upgrade_required"]);
  await refuse({ ...bob, "sec-websocket-version": "8" }, [426, "upgrade_required"]);
  await refuse({ ...bob, "sec-websocket-protocol": "unknown" }, [400, "bad_handshake"]);
  // What is no handshake counts for nothing.
  for (const path of ["/metrics", "/nothing", "/healthz"]) {
    await (await fetch(`${service.origin}${path}`)).body?.cancel();
  }

  {
    await using alice = await connect(service.url, ["wsfetch.v1", bearer(await jwks.sign())]);
    await alice.next();
    await refuse({ authorization: `Bearer ${await jwks.sign()}` }, [429, "rate_limited"]);
    ledger.add("limit_refusals_total", { limit: "identity_connections" });
    await using other = await connect(service.url, ["wsfetch.v1", bearer("token-of-bob")]);
    await other.next();
    await refuse({ authorization: "Bearer token-of-carol" }, [429, "too_many_connections"]);
    ledger.add("limit_refusals_total", { limit: "service_connections" });

    for (let i = 0; i < 2; i++) {
      const { type } = await alice.ask({ type: "auth", token: await jwks.sign() });
      assertEquals(type, "authenticated");
      ledger.add("credential_renewals_total", { outcome: "renewed" });
    }
    const count = 20;
    for (let id = 1; id <= count; id++) {
      other.send({ type: "request", id, url: destination.origin });
    }
    const frames = await other.take(count);
    const limited = frames.filter(({ code }) => code === "rate_limited");
    assert(limited.length > 0 && limited.length < count);
    for (const { code } of frames) {
      if (code === undefined) ledger.ended({ code: "response", status: 200, received: 4 });
      else ledger.ended({ code });
    }
    ledger.add("limit_refusals_total", { limit: "identity_requests" }, limited.length);

    alice.send({ type: "auth", token: "token-of-carol" });
    assertEquals((await alice.closed).code, 4501);
    ledger.add("credential_renewals_total", { outcome: "refused" });
  }
  ledger.add("disconnects_total", { code: "4501" });
  ledger.add("disconnects_total", { code: "1005" });

  await assertAgreed(service, { connections: 2, ledger, token: "token-of-bob" });
});

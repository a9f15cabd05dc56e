import { assert, assertEquals, assertNotStrictEquals, assertThrows } from "@std/assert";
import { ProxyError, type ResponseHead } from "../../src/protocol/mod.ts";
import { parseUpstreams, type UpstreamDefinition } from "../../src/upstream/definition.ts";
import type { Clock } from "../../src/clock.ts";
import type { RequestTraits } from "../../src/upstream/attempt.ts";
import {
  createRegistry,
  type GetStatus,
  type Registry,
  type Upstream,
} from "../../src/upstream/registry.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { toAttempt } from "./attempts.ts";

const BASE = "https://api.example.com/v1";
const TOKEN = "s3cret+token/=";
const TRAITS: RequestTraits = {
  method: "GET",
  replayable: true,
  signal: new AbortController().signal,
  countsTimeouts: true,
};
const OPEN_MS = 10_000;

/** Definitions as the operator writes them. */
const define = (upstreams: object): readonly UpstreamDefinition[] =>
  parseUpstreams(JSON.stringify(upstreams), { env: () => TOKEN, readText: () => TOKEN });

const noProbe = (): Promise<number> => Promise.reject(new Error("There must be no health check"));

/** A registry of these upstreams. */
const create = (
  upstreams: object,
  getStatus: GetStatus = noProbe,
  clock: Clock = createFakeClock(),
): Registry => createRegistry(define(upstreams), { getStatus, clock });

/** The only upstream of a registry. */
function createOne(definition: object | string): Upstream {
  return create({ api: definition }).find("api", undefined);
}

function assertRefuses(run: () => unknown, code: string): ProxyError {
  const error = assertThrows(run, ProxyError);
  assertEquals([error.code, error.sent, error.retryable], [code, "no", false]);
  return error;
}

/** Makes one attempt with this status. Returns the status, or the code of the error. */
const answer = (upstream: Upstream, status: number): Promise<unknown> =>
  upstream.send(() => Promise.resolve(toAttempt(new Response(null, { status }))), TRAITS)
    .then(({ status }) => status, (error) => error instanceof ProxyError ? error.code : error);

const OPEN = "destination_unavailable";

Deno.test("namesFor() returns the names that an identity may use, sorted", () => {
  using registry = create({
    zebra: BASE,
    bobs: { baseUrl: BASE, identities: ["bob"] },
    ants: { baseUrl: BASE, identities: ["alice", "bob"] },
    a2: BASE,
    a10: BASE,
  });
  const cases = [
    [undefined, ["a10", "a2", "zebra"]],
    ["alice", ["a10", "a2", "ants", "zebra"]],
    ["bob", ["a10", "a2", "ants", "bobs", "zebra"]],
    ["Bob", ["a10", "a2", "zebra"]],
    ["", ["a10", "a2", "zebra"]],
    ["undefined", ["a10", "a2", "zebra"]],
  ] as const;
  for (const [identity, names] of cases) assertEquals(registry.namesFor(identity), names);
  using none = createRegistry([], { getStatus: noProbe });
  assertEquals(none.namesFor("alice"), []);
});

Deno.test("find() returns an upstream to the identities that may use it", () => {
  using registry = create({
    open: { baseUrl: BASE, timeoutMs: 5 },
    bobs: { baseUrl: BASE, identities: ["bob"] },
  });
  const { name, timeoutMs } = registry.find("open", undefined);
  assertEquals([name, timeoutMs], ["open", 5]);
  const bobs = registry.find("bobs", "bob");
  assertEquals([bobs.name, "timeoutMs" in bobs], ["bobs", false]);
  for (const identity of [undefined, "alice", "Bob", "bob "]) {
    const { message } = assertRefuses(() => registry.find("bobs", identity), "forbidden");
    assert(message.includes('"bobs"'), message);
  }
});

Deno.test("find() refuses other names, and quotes at most the start of them", () => {
  using registry = create({ open: BASE });
  for (const name of ["", "Open", "open ", "constructor", "__proto__", "opens", "x".repeat(5000)]) {
    const { message } = assertRefuses(() => registry.find(name, "bob"), "unknown_upstream");
    assert(message.includes(JSON.stringify(name.slice(0, 64))), message);
    assert(message.length < 200);
  }
});

Deno.test("resolve() returns the URL below the base", () => {
  const upstream = createOne(BASE);
  assertEquals(upstream.resolve("/x?y=1#z").href, `${BASE}/x?y=1`);
  assertEquals(upstream.resolve("/").href, `${BASE}/`);
  assertRefuses(() => upstream.resolve("x"), "bad_request");
  assertRefuses(() => upstream.resolve("/../x"), "http_request_denied");
});

Deno.test("decide() allows URLs below the base, with the header fields, and does not decide on other origins", () => {
  const upstream = createOne({ baseUrl: BASE, headers: { "X-Key": "${env:KEY}", accept: "a/b" } });
  const allowed = {
    allow: true,
    reason: "upstream:api",
    headers: [["x-key", TOKEN], ["accept", "a/b"]],
    route: {},
  };
  const cases = [
    ["https://api.example.com/v1", allowed],
    ["https://api.example.com/v1/", allowed],
    ["https://api.example.com/v1/a/b?x=/../..", allowed],
    ["https://api.example.com:443/v1/a", allowed],
    ["https://API.example.com/v1/a", allowed],
    ["https://api.example.com/v1/a%2Fb", allowed],
    ["https://api.example.com/", "path"],
    ["https://api.example.com/v2", "path"],
    ["https://api.example.com/v10", "path"],
    ["https://api.example.com/V1/a", "path"],
    ["https://api.example.com/v1/../a", "path"],
    ["https://api.example.com/v1/%2e%2e/a", "path"],
    ["https://api.example.com/v1/..%2fa", "path"],
    ["https://api.example.com/v1/a%5c..%5c..%5cb", "path"],
    ["https://api.example.com/v1//evil", "path"],
    ["https://user:pass@api.example.com/v1/a", "path"],
    ["https://user@api.example.com/v1/a", "path"],
    ["http://api.example.com/v1/a", undefined],
    ["https://api.example.com:8443/v1/a", undefined],
    ["https://api.example.com./v1/a", undefined],
    ["https://www.api.example.com/v1/a", undefined],
    ["https://evil.example/v1/a", undefined],
    ["data:,x", undefined],
  ] as const;
  for (const [href, expected] of cases) {
    const decision = upstream.decide("GET", new URL(href));
    if (expected !== "path") assertEquals(decision, expected, href);
    else assertEquals([decision?.allow, decision?.reason], [false, "path"], href);
  }
});

Deno.test("decide() allows the methods that are listed, and names them in its message", () => {
  const upstream = createOne({ baseUrl: BASE, methods: ["get", "POST"] });
  const url = new URL(`${BASE}/x`);
  for (const method of ["GET", "POST"]) assertEquals(upstream.decide(method, url)?.allow, true);
  for (const method of ["HEAD", "PUT", "DELETE", "get", ""]) {
    assertEquals(upstream.decide(method, url), {
      allow: false,
      reason: "method",
      message: 'The upstream "api" takes GET, POST only',
    });
  }
  assertEquals(upstream.decide("PUT", new URL("https://evil.example/")), undefined);
  assertEquals(createOne(BASE).decide("ANY", url)?.allow, true);
});

Deno.test("decide() allows a path that a pattern matches both encoded and decoded", () => {
  const paths = ["/repos/:id", "/files/*", "/caf\u00e9", "/items/:id(\\d+)"];
  const upstream = createOne({ baseUrl: BASE, paths });
  const cases = [
    ["/repos/1", true],
    ["/repos/a%20b", true],
    ["/repos/1?/2", true],
    ["/repos/%", true],
    ["/files/", true],
    ["/files/a/b%2Fc", true],
    ["/caf%C3%A9", true],
    ["/items/12", true],
    ["/repos", false],
    ["/repos/", false],
    ["/repos/1/", false],
    ["/repos/1/2", false],
    ["/repos/1%2F2", false],
    ["/repos/1%2f2", false],
    ["/%72epos/1", false],
    ["/Repos/1", false],
    ["/items/%31", false],
    ["/items/a", false],
    ["/other?/repos/1", false],
    ["/x/repos/1", false],
    ["", false],
    ["/", false],
  ] as const;
  for (const [path, expected] of cases) {
    const decision = upstream.decide("GET", new URL(`${BASE}${path}`));
    assertEquals(decision?.allow, expected, path);
    if (!expected) assertEquals(decision?.reason, "path", path);
  }
});

Deno.test("conceal() replaces the base by the name, and removes the secrets", () => {
  const upstream = createOne({ baseUrl: BASE, headers: { authorization: "Bearer ${env:KEY}" } });
  const head = (url: string, text = ""): ResponseHead => ({
    status: 200,
    statusText: text,
    url,
    redirected: true,
    headers: [["x-a", `<${text}>`], ["set-cookie", text], ["set-cookie", "b=1"]],
  });
  assertEquals(
    upstream.conceal(head(`${BASE}/x?t=${encodeURIComponent(TOKEN)}`, `Bearer ${TOKEN}`)),
    {
      status: 200,
      statusText: "[redacted]",
      url: "api:/x?t=[redacted]",
      redirected: true,
      headers: [["x-a", "<[redacted]>"], ["set-cookie", "[redacted]"], ["set-cookie", "b=1"]],
    },
  );
  const cases = [
    [BASE, "api:/"],
    [`${BASE}/`, "api:/"],
    [`${BASE}/a%2Fb/?x=1`, "api:/a%2Fb/?x=1"],
    [`${BASE}0/x`, `${BASE}0/x`],
    ["https://api.example.com/", "https://api.example.com/"],
    ["https://evil.example/v1/x?y", "https://evil.example/v1/x?y"],
    [`https://evil.example/${TOKEN}`, "https://evil.example/[redacted]"],
    ["what", "what"],
  ] as const;
  for (const [url, expected] of cases) assertEquals(upstream.conceal(head(url)).url, expected);
});

Deno.test("conceal() keeps all other members of a response, and does not change the response", () => {
  const head = {
    status: 204,
    statusText: "No Content",
    url: `${BASE}/x`,
    redirected: false,
    headers: [["x-a", TOKEN]] as const,
    length: 7,
    bytes: () => "the body",
  };
  for (const headers of [{}, { "x-key": TOKEN }]) {
    const concealed = createOne({ baseUrl: BASE, headers }).conceal(head);
    assertEquals([concealed.url, concealed.length, concealed.bytes()], ["api:/x", 7, "the body"]);
    assertEquals(concealed.headers, [["x-a", "x-key" in headers ? "[redacted]" : TOKEN]]);
    assertEquals([head.url, head.headers], [`${BASE}/x`, [["x-a", TOKEN]]]);
  }
});

Deno.test("load() replaces the definitions; upstreams that were found before do not change", () => {
  using registry = create({
    api: { baseUrl: BASE, headers: { "x-key": "first-one" } },
    gone: BASE,
  });
  const before = registry.find("api", undefined);
  const gone = registry.find("gone", undefined);
  registry.load(define({
    api: { baseUrl: BASE, headers: { "x-key": "second-one" }, identities: ["bob"] },
    fresh: BASE,
  }));
  assertEquals(registry.namesFor("bob"), ["api", "fresh"]);
  assertRefuses(() => registry.find("gone", undefined), "unknown_upstream");
  assertRefuses(() => registry.find("api", undefined), "forbidden");
  const after = registry.find("api", "bob");
  assertNotStrictEquals(after, before);
  const keyOf = (upstream: Upstream): unknown => {
    const decision = upstream.decide("GET", new URL(`${BASE}/x`));
    return decision?.allow === true ? decision.headers : undefined;
  };
  assertEquals(keyOf(before), [["x-key", "first-one"]]);
  assertEquals(keyOf(after), [["x-key", "second-one"]]);
  assertEquals(gone.resolve("/x").href, `${BASE}/x`);
});

Deno.test("load() keeps the breaker of a service that has not changed, and of no other", async () => {
  const breaker = { failures: 1, openMs: 100_000 };
  const retry = { attempts: 2, backoffMs: 1 };
  const definition = { baseUrl: BASE, breaker, maxInFlight: 5 };
  const cases = [
    ["other secrets", { headers: { "x-key": "another" } }, true],
    ["other rules", { methods: ["GET"], paths: ["/x"], identities: ["bob"], timeoutMs: 5 }, true],
    ["another base", { baseUrl: `${BASE}/x` }, false],
    ["another breaker", { breaker: { ...breaker, openMs: 200_000 } }, false],
    ["retries", { retry }, false],
    ["another number in flight", { maxInFlight: 6 }, false],
    ["a health path", { health: "/health" }, false],
  ] as const;
  for (const [name, change, isKept] of cases) {
    using registry = create({ api: definition, other: definition });
    assertEquals(await answer(registry.find("api", "bob"), 503), 503);
    assertEquals(await answer(registry.find("api", "bob"), 200), OPEN);
    registry.load(define({ api: { ...definition, ...change }, other: definition }));
    assertEquals(await answer(registry.find("api", "bob"), 200), isKept ? OPEN : 200, name);
    assertEquals(await answer(registry.find("other", "bob"), 200), 200, "they are kept apart");
  }
});

Deno.test("load() forgets an upstream that was absent in between, and one that was renamed", async () => {
  const breaker = { failures: 1, openMs: 100_000 };
  using registry = create({ api: { baseUrl: BASE, breaker } });
  await answer(registry.find("api", undefined), 503);
  registry.load(define({ renamed: { baseUrl: BASE, breaker } }));
  assertEquals(await answer(registry.find("renamed", undefined), 200), 200);
  registry.load(define({ api: { baseUrl: BASE, breaker } }));
  assertEquals(await answer(registry.find("api", undefined), 200), 200);
});

Deno.test("load() keeps the places that are taken", async () => {
  const definition = { baseUrl: BASE, maxInFlight: 1 };
  using registry = create({ api: definition });
  const place = Promise.withResolvers<string>();
  const running = registry.find("api", undefined).within(() => place.promise);
  registry.load(define({ api: { ...definition, headers: { "x-key": "another" } } }));
  const refused = await registry.find("api", undefined).within(() => Promise.resolve("in"))
    .catch((error) => error);
  assertEquals(refused.code, "too_many_in_flight");
  place.resolve("done");
  assertEquals(await running, "done");
  assertEquals(await registry.find("api", undefined).within(() => Promise.resolve("in")), "in");
});

interface Probe {
  readonly url: string;
  readonly headers: unknown;
  readonly signal: AbortSignal;
  readonly respond: (status: number) => void;
}

/** Records the health checks. */
function createProbes(): { readonly getStatus: GetStatus; readonly probes: readonly Probe[] } {
  const probes: Probe[] = [];
  return {
    probes,
    getStatus(url, { headers }, signal): Promise<number> {
      const { promise, resolve } = Promise.withResolvers<number>();
      probes.push({ url: url.href, headers, signal, respond: resolve });
      return promise;
    },
  };
}

/** Fulfils when a breaker has counted the result of a probe, which takes microtasks only. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

const FRAGILE = {
  baseUrl: BASE,
  headers: { "x-key": "first-one" },
  breaker: { failures: 1, openMs: OPEN_MS },
  health: "/health?deep=1",
};

Deno.test("an open breaker is closed by a 2xx of the health path, and by nothing else", async () => {
  const clock = createFakeClock();
  const { getStatus, probes } = createProbes();
  using registry = create({ api: FRAGILE }, getStatus, clock);
  const upstream = registry.find("api", undefined);
  await answer(upstream, 503);
  for (const [index, status] of [199, 301, 404, 503].entries()) {
    clock.advance(OPEN_MS - 1);
    assertEquals(probes.length, index);
    clock.advance(1);
    const probe = probes[index];
    assertEquals([probe?.url, probe?.headers], [`${BASE}/health?deep=1`, [["x-key", "first-one"]]]);
    probe?.respond(status);
    await settled();
    assertEquals(await answer(upstream, 200), OPEN);
  }
  clock.advance(OPEN_MS);
  probes[4]?.respond(204);
  await settled();
  assertEquals(await answer(upstream, 200), 200);
  assertEquals([probes.length, clock.delays], [5, []]);
});

Deno.test("a probe sends the header fields that are loaded by then", async () => {
  const clock = createFakeClock();
  const { getStatus, probes } = createProbes();
  using registry = create({ api: FRAGILE }, getStatus, clock);
  await answer(registry.find("api", undefined), 503);
  registry.load(define({ api: { ...FRAGILE, headers: { "x-key": "second-one" } } }));
  clock.advance(OPEN_MS);
  assertEquals(probes.map(({ headers }) => headers), [[["x-key", "second-one"]]]);
});

const ELSEWHERE = { ...FRAGILE, baseUrl: `${BASE}/elsewhere` };

const ENDS: readonly (readonly [name: string, end: (registry: Registry) => void])[] = [
  ["disposal", (registry) => registry[Symbol.dispose]()],
  ["an upstream that is gone", (registry) => registry.load([])],
  [
    "an upstream that is another service",
    (registry) => registry.load(define({ api: ELSEWHERE, other: ELSEWHERE })),
  ],
];

for (const [name, end] of ENDS) {
  Deno.test(`${name} ends the probe that is running, and there is no further one`, async () => {
    const clock = createFakeClock();
    const { getStatus, probes } = createProbes();
    using registry = create({ api: FRAGILE }, getStatus, clock);
    const upstream = registry.find("api", undefined);
    await answer(upstream, 503);
    clock.advance(OPEN_MS);
    assertEquals(probes.map(({ signal }) => signal.aborted), [false]);
    end(registry);
    assertEquals(probes.map(({ signal }) => signal.aborted), [true]);
    await settled();
    assertEquals(clock.delays, []);
    assertEquals(await answer(upstream, 200), OPEN, "exchanges that found it are still refused");
  });

  Deno.test(`${name} ends the wait for a probe, and no failure starts another`, async () => {
    const clock = createFakeClock();
    const { getStatus, probes } = createProbes();
    using registry = create({ api: FRAGILE, other: FRAGILE }, getStatus, clock);
    const api = registry.find("api", undefined);
    const other = registry.find("other", undefined);
    await answer(api, 503);
    assertEquals(clock.delays, [OPEN_MS]);
    end(registry);
    // Exchanges that found an upstream before may still use it, and fail.
    await answer(other, 503);
    assertEquals(clock.delays, []);
    clock.advance(2 * OPEN_MS);
    assertEquals(probes, []);
  });
}

Deno.test("a registry that was disposed of has no upstreams, and can be disposed of again", () => {
  const registry = create({ api: FRAGILE });
  registry[Symbol.dispose]();
  registry[Symbol.dispose]();
  assertEquals(registry.namesFor("alice"), []);
  assertRefuses(() => registry.find("api", undefined), "unknown_upstream");
});

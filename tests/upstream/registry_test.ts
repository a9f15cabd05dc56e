import { assert, assertEquals, assertNotStrictEquals, assertThrows } from "@std/assert";
import { ProxyError, type ResponseHead } from "../../src/protocol/mod.ts";
import { parseUpstreams, type UpstreamDefinition } from "../../src/upstream/definition.ts";
import {
  createRegistry,
  type Registry,
  type RegistryDeps,
  type Upstream,
} from "../../src/upstream/registry.ts";

const BASE = "https://api.example.com/v1";
const TOKEN = "s3cret+token/=";
const HOP = {
  method: "GET",
  replayable: true,
  signal: new AbortController().signal,
  countsTimeouts: true,
};
// As short as it can be.
const SHORT_MS = 100;

/** Definitions as the operator writes them. */
const define = (upstreams: object): readonly UpstreamDefinition[] =>
  parseUpstreams(JSON.stringify(upstreams), { env: () => TOKEN, readText: () => TOKEN });

const noProbe = (): Promise<number> => Promise.reject(new Error("Nobody asks for a health"));

/** A registry of these upstreams. */
const create = (
  upstreams: object,
  getStatus: RegistryDeps["getStatus"] = noProbe,
): Registry => createRegistry(define(upstreams), { getStatus });

/** The only upstream of a registry. */
function createOne(definition: object | string): Upstream {
  return create({ api: definition }).find("api", undefined);
}

function assertRefuses(run: () => unknown, code: string): ProxyError {
  const error = assertThrows(run, ProxyError);
  assertEquals([error.code, error.sent, error.retryable], [code, "no", false]);
  return error;
}

/** Makes one attempt that is answered so. */
const answer = (upstream: Upstream, status: number): Promise<unknown> =>
  upstream.send(() => Promise.resolve(new Response(null, { status })), HOP)
    .then(({ status }) => status, (error) => error instanceof ProxyError ? error.code : error);

const OPEN = "destination_unavailable";

Deno.test("namesFor() gives the names that an identity may use, sorted", () => {
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

Deno.test("find() gives what there is to those whom it is for", () => {
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

Deno.test("find() does not know other names, and quotes them in short", () => {
  using registry = create({ open: BASE });
  for (const name of ["", "Open", "open ", "constructor", "__proto__", "opens", "x".repeat(5000)]) {
    const { message } = assertRefuses(() => registry.find(name, "bob"), "unknown_upstream");
    assert(message.includes(JSON.stringify(name.slice(0, 64))), message);
    assert(message.length < 200);
  }
});

Deno.test("resolve() gives the URL below the base", () => {
  const upstream = createOne(BASE);
  assertEquals(upstream.resolve("/x?y=1#z").href, `${BASE}/x?y=1`);
  assertEquals(upstream.resolve("/").href, `${BASE}/`);
  assertRefuses(() => upstream.resolve("x"), "bad_request");
  assertRefuses(() => upstream.resolve("/../x"), "http_request_denied");
});

Deno.test("decide() allows what is below the base, with the header fields, and knows no other origin", () => {
  const upstream = createOne({ baseUrl: BASE, headers: { "X-Key": "${env:KEY}", accept: "a/b" } });
  const allowed = {
    allow: true,
    reason: "upstream:api",
    headers: [["x-key", TOKEN], ["accept", "a/b"]],
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

Deno.test("decide() allows the methods that are listed, and says which", () => {
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

Deno.test("decide() wants a pattern to match the path, encoded and decoded, and nothing else of the URL", () => {
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

Deno.test("conceal() gives the name for the base, and nothing of the secrets", () => {
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

Deno.test("conceal() keeps what else a response has, and leaves the response itself alone", () => {
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

Deno.test("load() puts others in place; those that were found go on as they were", () => {
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

Deno.test("load() keeps what is known of a service that has not changed, and of no other", async () => {
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

Deno.test("load() forgets what was gone in between, and a name that is another service", async () => {
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
  answer(status: number): void;
}

/** Takes the questions for a health, one by one. */
function createProbes(): {
  readonly getStatus: RegistryDeps["getStatus"];
  readonly next: () => Promise<Probe>;
} {
  let asked = Promise.withResolvers<Probe>();
  return {
    getStatus(url, headers, signal): Promise<number> {
      const { promise, resolve } = Promise.withResolvers<number>();
      asked.resolve({ url: url.href, headers, signal, answer: resolve });
      return promise;
    },
    async next(): Promise<Probe> {
      const probe = await asked.promise;
      asked = Promise.withResolvers();
      return probe;
    },
  };
}

/** Keeps a test waiting: a breaker's timers alone would let the process end. */
function keepAlive(): Disposable {
  const timer = setInterval(() => {}, 1_000_000);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const FRAGILE = {
  baseUrl: BASE,
  headers: { "x-key": "first-one" },
  breaker: { failures: 1, openMs: SHORT_MS },
  health: "/health?deep=1",
};

Deno.test("an open breaker is closed by a 2xx of the health path, and by nothing else", async () => {
  using _alive = keepAlive();
  const { getStatus, next } = createProbes();
  using registry = create({ api: FRAGILE }, getStatus);
  const upstream = registry.find("api", undefined);
  await answer(upstream, 503);
  for (const status of [199, 301, 404, 503]) {
    const probe = await next();
    assertEquals([probe.url, probe.headers], [`${BASE}/health?deep=1`, [["x-key", "first-one"]]]);
    probe.answer(status);
    assertEquals(await answer(upstream, 200), OPEN);
  }
  (await next()).answer(204);
  while (await answer(upstream, 200) === OPEN); // what it says counts some microtasks later
  assertEquals(await answer(upstream, 200), 200);
});

Deno.test("a probe goes with the header fields that are loaded by then", async () => {
  using _alive = keepAlive();
  const { getStatus, next } = createProbes();
  using registry = create({ api: FRAGILE }, getStatus);
  await answer(registry.find("api", undefined), 503);
  registry.load(define({ api: { ...FRAGILE, headers: { "x-key": "second-one" } } }));
  assertEquals((await next()).headers, [["x-key", "second-one"]]);
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
  Deno.test(`${name} ends the probe under way, and there is no further one`, async () => {
    using _alive = keepAlive();
    const { getStatus, next } = createProbes();
    using registry = create({ api: FRAGILE }, getStatus);
    const upstream = registry.find("api", undefined);
    await answer(upstream, 503);
    const probe = await next();
    assertEquals(probe.signal.aborted, false);
    end(registry);
    assertEquals(probe.signal.aborted, true);
    await assertNoProbe(next);
    assertEquals(await answer(upstream, 200), OPEN, "those who have it are still refused");
  });

  Deno.test(`${name} ends the wait for a probe, and nothing begins another`, async () => {
    using _alive = keepAlive();
    const { getStatus, next } = createProbes();
    using registry = create({ api: FRAGILE, other: FRAGILE }, getStatus);
    const api = registry.find("api", undefined);
    const other = registry.find("other", undefined);
    await answer(api, 503);
    end(registry);
    // What was found before may still be used, and fail.
    await answer(other, 503);
    await assertNoProbe(next);
  });
}

/** Another registry, begun later, is the clock: when it has probed, any other would have too. */
async function assertNoProbe(next: () => Promise<Probe>): Promise<void> {
  const clock = createProbes();
  using later = create({ api: FRAGILE }, clock.getStatus);
  await answer(later.find("api", undefined), 503);
  const probed = next().then(() => "probed");
  const passed = clock.next().then(() => "passed");
  assertEquals(await Promise.race([probed, passed]), "passed");
}

Deno.test("a registry that is disposed of has no upstreams, and may be so twice", () => {
  const registry = create({ api: FRAGILE });
  registry[Symbol.dispose]();
  registry[Symbol.dispose]();
  assertEquals(registry.namesFor("alice"), []);
  assertRefuses(() => registry.find("api", undefined), "unknown_upstream");
});

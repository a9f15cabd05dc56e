import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { classifyAddress } from "../../src/policy/address.ts";
import type { Asker, Lookup } from "../../src/policy/lookups.ts";
import { createResolver, type Resolver, type ResolverOptions } from "../../src/policy/resolver.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";
import { settle } from "../helpers/exchange.ts";

const TTL_MS = 1000;

/** A lookup whose calls are settled by the test. */
function manualLookup(): { lookup: Lookup; calls: PromiseWithResolvers<readonly string[]>[] } {
  const calls: PromiseWithResolvers<readonly string[]>[] = [];
  const lookup = (): Promise<readonly string[]> => {
    const call = Promise.withResolvers<readonly string[]>();
    calls.push(call);
    return call.promise;
  };
  return { lookup, calls };
}

/** A lookup that records its calls. The addresses of a host like `8.8.8.8,2600::1` are in its name. */
function countingLookup(): { lookup: Lookup; hosts: string[] } {
  const hosts: string[] = [];
  const lookup = (host: string): Promise<readonly string[]> => {
    hosts.push(host);
    return Promise.resolve(host.split(",").filter(Boolean));
  };
  return { lookup, hosts };
}

async function resolve(resolver: Resolver, host: string, asker?: Asker): Promise<string[]> {
  return (await resolver.resolve(host, asker)).map(String);
}

Deno.test("resolve() returns every address, in order", async () => {
  const resolver = createResolver({ lookup: countingLookup().lookup });
  assertEquals(await resolve(resolver, "8.8.8.8,2600::1,10.0.0.1"), [
    "8.8.8.8",
    "2600::1",
    "10.0.0.1",
  ]);
});

Deno.test("resolve() returns cached addresses without a promise, until their time is over", async () => {
  const clock = createFakeClock();
  const { lookup, hosts } = countingLookup();
  const resolver = createResolver({ lookup, ttlMs: TTL_MS, clock });
  assertInstanceOf(resolver.resolve("8.8.8.8"), Promise);
  await resolver.resolve("8.8.8.8");
  clock.advance(TTL_MS - 1);
  assertInstanceOf(resolver.resolve("8.8.8.8"), Array);
  assertEquals(hosts.length, 1);
  clock.advance(1);
  assertInstanceOf(resolver.resolve("8.8.8.8"), Promise);
  assertEquals(hosts.length, 2);
});

Deno.test("resolve() caches addresses from when they arrived, and then the new ones", async () => {
  const clock = createFakeClock();
  const { lookup, calls } = manualLookup();
  const resolver = createResolver({ lookup, ttlMs: TTL_MS, clock });
  const first = resolve(resolver, "a.test");
  clock.advance(500);
  calls[0]?.resolve(["8.8.8.8"]);
  assertEquals(await first, ["8.8.8.8"]);
  clock.advance(TTL_MS - 1);
  assertEquals(await resolve(resolver, "a.test"), ["8.8.8.8"]);
  clock.advance(1);
  const second = resolve(resolver, "a.test");
  calls[1]?.resolve(["10.0.0.1"]);
  assertEquals(await second, ["10.0.0.1"]);
  assertEquals(await resolve(resolver, "a.test"), ["10.0.0.1"]);
});

Deno.test("resolve() caches addresses for ten seconds by default", async () => {
  const clock = createFakeClock();
  const { lookup, hosts } = countingLookup();
  const resolver = createResolver({ lookup, clock });
  for (const ms of [0, 9_999, 1]) {
    clock.advance(ms);
    await resolver.resolve("8.8.8.8");
  }
  assertEquals(hosts.length, 2);
});

Deno.test("resolve() looks a name up once for all calls at the same time", async () => {
  const { lookup, calls } = manualLookup();
  const resolver = createResolver({ lookup });
  const asked = [1, 2, 3].map(() => resolver.resolve("a.test"));
  assertStrictEquals(asked[0], asked[2]);
  calls[0]?.resolve(["8.8.8.8"]);
  assertEquals((await Promise.all(asked)).flat().map(String), ["8.8.8.8", "8.8.8.8", "8.8.8.8"]);
  assertEquals(calls.length, 1);
});

Deno.test("resolve() forgets the oldest addresses when its cache is full", async () => {
  const { lookup, hosts } = countingLookup();
  const resolver = createResolver({ lookup, maxEntries: 2, clock: createFakeClock() });
  for (const host of ["1.0.0.1", "1.0.0.2", "1.0.0.3"]) await resolver.resolve(host);
  assertInstanceOf(resolver.resolve("1.0.0.3"), Array);
  assertInstanceOf(resolver.resolve("1.0.0.2"), Array);
  await resolver.resolve("1.0.0.1");
  assertEquals(hosts, ["1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.1"]);
  assertInstanceOf(resolver.resolve("1.0.0.2"), Promise);
});

Deno.test("resolve() treats addresses that it looked up again as the newest", async () => {
  const clock = createFakeClock();
  const { lookup } = countingLookup();
  const resolver = createResolver({ lookup, maxEntries: 3, ttlMs: TTL_MS, clock });
  await resolver.resolve("1.0.0.1");
  clock.advance(500);
  await resolver.resolve("1.0.0.2");
  clock.advance(TTL_MS - 500);
  for (const host of ["1.0.0.1", "1.0.0.3", "1.0.0.4"]) await resolver.resolve(host);
  assertInstanceOf(resolver.resolve("1.0.0.1"), Array);
  assertInstanceOf(resolver.resolve("1.0.0.2"), Promise);
});

Deno.test("resolve() refuses a lookup too many, until one has ended", async () => {
  const { lookup, calls } = manualLookup();
  const resolver = createResolver({ lookup, maxPending: 2 });
  const asked = ["a.test", "b.test"].map((host) => resolve(resolver, host));
  const error = await assertRejects(() => resolve(resolver, "c.test"), ProxyError, "Too many");
  assertEquals([error.code, error.sent, error.retryable], ["dns_error", "no", true]);
  const again = resolve(resolver, "a.test");
  assertEquals(calls.length, 2);
  calls[0]?.resolve(["8.8.8.8"]);
  assertEquals(await again, ["8.8.8.8"]);
  const third = resolve(resolver, "c.test");
  calls[1]?.reject(new Error("gone"));
  await assertRejects(() => asked[1] ?? third, ProxyError);
  const fourth = resolve(resolver, "d.test");
  for (const call of calls.slice(2)) call.resolve(["8.8.4.4"]);
  assertEquals([await third, await fourth], [["8.8.4.4"], ["8.8.4.4"]]);
});

Deno.test("resolve() rejects when a lookup fails, and looks the name up again the next time", async () => {
  const { lookup, calls } = manualLookup();
  const resolver = createResolver({ lookup });
  const cause = new Error("getaddrinfo ENOTFOUND gone.invalid");
  const asked = resolve(resolver, "gone.invalid");
  calls[0]?.reject(cause);
  const error = await assertRejects(() => asked, ProxyError);
  assertEquals(error.message, 'The name "gone.invalid" could not be resolved');
  assertEquals([error.code, error.sent, error.retryable], ["dns_error", "no", true]);
  assertStrictEquals(error.cause, cause);
  const again = resolve(resolver, "gone.invalid");
  calls[1]?.resolve(["8.8.8.8"]);
  assertEquals(await again, ["8.8.8.8"]);
});

const AGAIN = Object.assign(new Error("getaddrinfo EAI_AGAIN"), { code: "EAI_AGAIN" });
const NOT_FOUND = Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
const MAX_AGE_MS = 10 * TTL_MS;

/** Creates a resolver that knows the address of `a.test`, which has expired. */
async function createStale(
  options: Partial<ResolverOptions> = {},
): Promise<
  { resolver: Resolver; clock: FakeClock; calls: PromiseWithResolvers<readonly string[]>[] }
> {
  const clock = createFakeClock();
  const { lookup, calls } = manualLookup();
  const resolver = createResolver({
    lookup,
    ttlMs: TTL_MS,
    maxAgeMs: MAX_AGE_MS,
    clock,
    ...options,
  });
  const first = resolve(resolver, "a.test");
  calls[0]?.resolve(["8.8.8.8"]);
  await first;
  clock.advance(TTL_MS);
  return { resolver, clock, calls };
}

Deno.test("resolve() uses known addresses again when the resolver could not find out", async () => {
  const { resolver, clock, calls } = await createStale();
  const again = resolve(resolver, "a.test");
  calls[1]?.reject(AGAIN);
  assertEquals(await again, ["8.8.8.8"]);
  assertInstanceOf(resolver.resolve("a.test"), Array);
  clock.advance(TTL_MS);
  const later = resolve(resolver, "a.test");
  calls[2]?.resolve(["8.8.4.4"]);
  assertEquals(await later, ["8.8.4.4"]);
});

Deno.test("resolve() uses known addresses again when the resolver is silent, and takes its answer later", async () => {
  const { resolver, clock, calls } = await createStale();
  const again = resolve(resolver, "a.test");
  clock.advance(1000);
  assertEquals(await again, ["8.8.8.8"]);
  assertEquals(await resolve(resolver, "a.test"), ["8.8.8.8"]);
  calls[1]?.resolve(["8.8.4.4"]);
  await settle();
  assertEquals(await resolve(resolver, "a.test"), ["8.8.4.4"]);
  assertEquals(calls.length, 2);
});

Deno.test("resolve() uses known addresses for so long and no longer", async () => {
  const { resolver, clock, calls } = await createStale();
  clock.advance(MAX_AGE_MS - TTL_MS - 1);
  const last = resolve(resolver, "a.test");
  calls[1]?.reject(AGAIN);
  assertEquals(await last, ["8.8.8.8"]);
  clock.advance(1);
  const none = resolve(resolver, "a.test");
  calls[2]?.reject(AGAIN);
  assertEquals((await assertRejects(() => none, ProxyError)).code, "dns_error");
});

Deno.test("resolve() does not use addresses of a name that has none any more", async () => {
  const { resolver, calls } = await createStale();
  const gone = resolve(resolver, "a.test");
  calls[1]?.reject(NOT_FOUND);
  await assertRejects(() => gone, ProxyError, "could not be resolved");
  const silent = resolve(resolver, "a.test");
  calls[2]?.reject(AGAIN);
  await assertRejects(() => silent, ProxyError, "could not be resolved");
});

Deno.test("resolve() does not use addresses of a name whose new ones cannot be parsed", async () => {
  const { resolver, calls } = await createStale();
  const broken = resolve(resolver, "a.test");
  calls[1]?.resolve(["8.8.8.8", "x"]);
  await assertRejects(() => broken, ProxyError, "could not be resolved");
});

Deno.test("resolve() uses known addresses while there are too many lookups", async () => {
  const { resolver } = await createStale({ maxPending: 1 });
  const silent = resolver.resolve("silent.test");
  assertEquals(await resolve(resolver, "a.test"), ["8.8.8.8"]);
  await assertRejects(() => resolve(resolver, "b.test"), ProxyError, "Too many");
  assertInstanceOf(silent, Promise);
});

Deno.test("resolve() looks a name up for who asks just after all others have left", async () => {
  const { lookup, calls } = manualLookup();
  const resolver = createResolver({ lookup, maxRunning: 1 });
  const running = resolve(resolver, "running.test");
  const gone = new AbortController();
  const left = resolve(resolver, "a.test", { caller: { key: "k" }, signal: gone.signal });
  gone.abort();
  const asked = resolve(resolver, "a.test");
  await assertRejects(() => left, ProxyError);
  calls[0]?.resolve(["8.8.8.8"]);
  await running;
  calls[1]?.resolve(["8.8.4.4"]);
  assertEquals(await asked, ["8.8.4.4"]);
});

const UNUSABLE = [
  { name: "no address", input: "" },
  { name: "an address that cannot be parsed", input: "8.8.8.8,x" },
  { name: "an address in an odd form", input: "127.1" },
  { name: "an address of another family", input: "8.8.8.8,00-00-5E-00-53-01" },
];

for (const { name, input } of UNUSABLE) {
  Deno.test(`resolve() rejects for a name with ${name}, and does not cache that`, async () => {
    const { lookup, hosts } = countingLookup();
    const resolver = createResolver({ lookup });
    for (const _ of [1, 2]) {
      const error = await assertRejects(() => resolve(resolver, input), ProxyError);
      assertEquals(error.code, "dns_error");
    }
    assertEquals(hosts.length, 2);
  });
}

Deno.test("resolve() uses the resolver of the system, which knows localhost", async () => {
  const addresses = await createResolver().resolve("localhost");
  assertEquals(new Set(addresses.map(classifyAddress)), new Set(["loopback"]));
});

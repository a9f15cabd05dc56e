import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { classifyAddress } from "../../src/policy/address.ts";
import { createResolver, type Lookup, type Resolver } from "../../src/policy/resolver.ts";
import { ProxyError } from "../../src/protocol/mod.ts";

const TTL_MS = 1000;

/** A lookup that answers when told to, in the order of its calls. */
function manualLookup(): { lookup: Lookup; calls: PromiseWithResolvers<readonly string[]>[] } {
  const calls: PromiseWithResolvers<readonly string[]>[] = [];
  const lookup = (): Promise<readonly string[]> => {
    const call = Promise.withResolvers<readonly string[]>();
    calls.push(call);
    return call.promise;
  };
  return { lookup, calls };
}

/** A lookup that counts, and gives what it is asked for in hosts like `8.8.8.8,2600::1`. */
function countingLookup(): { lookup: Lookup; hosts: string[] } {
  const hosts: string[] = [];
  const lookup = (host: string): Promise<readonly string[]> => {
    hosts.push(host);
    return Promise.resolve(host.split(",").filter(Boolean));
  };
  return { lookup, hosts };
}

async function resolve(resolver: Resolver, host: string): Promise<string[]> {
  return (await resolver.resolve(host)).map(String);
}

Deno.test("resolve() gives every address, in order", async () => {
  const resolver = createResolver({ lookup: countingLookup().lookup });
  assertEquals(await resolve(resolver, "8.8.8.8,2600::1,10.0.0.1"), [
    "8.8.8.8",
    "2600::1",
    "10.0.0.1",
  ]);
});

Deno.test("resolve() answers at once from its cache, until the time is over", async () => {
  let time = 0;
  const { lookup, hosts } = countingLookup();
  const resolver = createResolver({ lookup, ttlMs: TTL_MS, now: () => time });
  assertInstanceOf(resolver.resolve("8.8.8.8"), Promise);
  await resolver.resolve("8.8.8.8");
  time = TTL_MS - 1;
  assertInstanceOf(resolver.resolve("8.8.8.8"), Array);
  assertEquals(hosts.length, 1);
  time = TTL_MS;
  assertInstanceOf(resolver.resolve("8.8.8.8"), Promise);
  assertEquals(hosts.length, 2);
});

Deno.test("resolve() counts the time from the answer, and then takes the new one", async () => {
  let time = 0;
  const { lookup, calls } = manualLookup();
  const resolver = createResolver({ lookup, ttlMs: TTL_MS, now: () => time });
  const first = resolve(resolver, "a.test");
  time = 500;
  calls[0]?.resolve(["8.8.8.8"]);
  assertEquals(await first, ["8.8.8.8"]);
  time = 500 + TTL_MS - 1;
  assertEquals(await resolve(resolver, "a.test"), ["8.8.8.8"]);
  time = 500 + TTL_MS;
  const second = resolve(resolver, "a.test");
  calls[1]?.resolve(["10.0.0.1"]);
  assertEquals(await second, ["10.0.0.1"]);
  assertEquals(await resolve(resolver, "a.test"), ["10.0.0.1"]);
});

Deno.test("resolve() holds an answer for ten seconds unless told otherwise", async () => {
  let time = 0;
  const { lookup, hosts } = countingLookup();
  const resolver = createResolver({ lookup, now: () => time });
  for (time of [0, 9_999, 10_000]) await resolver.resolve("8.8.8.8");
  assertEquals(hosts.length, 2);
});

Deno.test("resolve() looks a name up once for all who ask at the same time", async () => {
  const { lookup, calls } = manualLookup();
  const resolver = createResolver({ lookup });
  const asked = [1, 2, 3].map(() => resolver.resolve("a.test"));
  assertStrictEquals(asked[0], asked[2]);
  calls[0]?.resolve(["8.8.8.8"]);
  assertEquals((await Promise.all(asked)).flat().map(String), ["8.8.8.8", "8.8.8.8", "8.8.8.8"]);
  assertEquals(calls.length, 1);
});

Deno.test("resolve() forgets the oldest answer when it holds too many", async () => {
  const { lookup, hosts } = countingLookup();
  const resolver = createResolver({ lookup, maxEntries: 2, now: () => 0 });
  for (const host of ["1.0.0.1", "1.0.0.2", "1.0.0.3"]) await resolver.resolve(host);
  assertInstanceOf(resolver.resolve("1.0.0.3"), Array);
  assertInstanceOf(resolver.resolve("1.0.0.2"), Array);
  await resolver.resolve("1.0.0.1");
  assertEquals(hosts, ["1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.1"]);
  assertInstanceOf(resolver.resolve("1.0.0.2"), Promise);
});

Deno.test("resolve() counts a renewed answer among the newest", async () => {
  let time = 0;
  const { lookup } = countingLookup();
  const resolver = createResolver({ lookup, maxEntries: 3, ttlMs: TTL_MS, now: () => time });
  await resolver.resolve("1.0.0.1");
  time = 500;
  await resolver.resolve("1.0.0.2");
  time = TTL_MS;
  for (const host of ["1.0.0.1", "1.0.0.3", "1.0.0.4"]) await resolver.resolve(host);
  assertInstanceOf(resolver.resolve("1.0.0.1"), Array);
  assertInstanceOf(resolver.resolve("1.0.0.2"), Promise);
});

Deno.test("resolve() refuses a lookup too many, and takes the next when one has ended", async () => {
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

Deno.test("resolve() tells that a name has no address, and asks again the next time", async () => {
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

const UNUSABLE = [
  { name: "no address", input: "" },
  { name: "an address that cannot be parsed", input: "8.8.8.8,x" },
  { name: "an address in an odd form", input: "127.1" },
  { name: "an address of another family", input: "8.8.8.8,00-00-5E-00-53-01" },
];

for (const { name, input } of UNUSABLE) {
  Deno.test(`resolve() refuses a name with ${name}, and does not keep that`, async () => {
    const { lookup, hosts } = countingLookup();
    const resolver = createResolver({ lookup });
    for (const _ of [1, 2]) {
      const error = await assertRejects(() => resolve(resolver, input), ProxyError);
      assertEquals(error.code, "dns_error");
    }
    assertEquals(hosts.length, 2);
  });
}

Deno.test("resolve() asks the system, which knows localhost", async () => {
  const addresses = await createResolver().resolve("localhost");
  assertEquals(new Set(addresses.map(classifyAddress)), new Set(["loopback"]));
});

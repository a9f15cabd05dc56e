import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { createFindProxy, parseProxy, readProxySettings } from "../../src/http/proxies.ts";

const [HTTP, HTTPS, ALL] = ["http", "https", "all"].map((name) => ({
  url: `http://${name}.invalid`,
  basicAuth: undefined,
}));

/** Reports whether a request to a URL goes through a proxy with this `NO_PROXY`. */
function isProxied(url: string, except: string): boolean {
  const find = createFindProxy({ http: undefined, https: undefined, all: ALL, except });
  return find?.(new URL(url)) === ALL;
}

/** Reports whether Deno's `fetch` makes a request through a proxy with this `NO_PROXY`. */
async function isProxiedByFetch(url: string, except: string): Promise<boolean> {
  let isAsked = false;
  await using proxy = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
    isAsked = true;
    return new Response();
  });
  const before = Deno.env.get("NO_PROXY");
  Deno.env.set("NO_PROXY", except);
  using client = Deno.createHttpClient({ proxy: { url: `http://127.0.0.1:${proxy.addr.port}` } });
  if (before === undefined) Deno.env.delete("NO_PROXY");
  else Deno.env.set("NO_PROXY", before);
  await fetch(url, { client }).then((response) => response.body?.cancel(), () => {});
  return isAsked;
}

// URL, NO_PROXY, and whether the request goes through a proxy.
const EXCEPTIONS = [
  ["http://a.invalid/", "", true],
  ["http://a.invalid/", "a.invalid", false],
  ["http://a.invalid:8080/", "a.invalid", false],
  ["http://b.a.invalid/", "a.invalid", false],
  ["http://ba.invalid/", "a.invalid", true],
  ["http://a.invalid/", ".a.invalid", false],
  ["http://b.a.invalid/", ".a.invalid", false],
  ["http://ba.invalid/", ".a.invalid", true],
  ["http://a.invalid/", "invalid", false],
  ["http://a.invalid/", "valid", true],
  ["http://A.invalid/", "a.invalid", false],
  ["http://a.invalid/", "A.invalid", true],
  ["http://a.invalid/", "*", false],
  ["http://a.invalid/", "*.invalid", true],
  ["http://a.invalid/", "b.invalid , a.invalid", false],
  ["http://a.invalid/", "b.invalid a.invalid", true],
  ["http://a.invalid/", "a.invalid:80", true],
  ["http://a.invalid./", "a.invalid", true],
  ["http://a.invalid./", ",", false],
  ["http://a.invalid/", ",", true],
  ["http://127.0.0.9:9999/", "127.0.0.9", false],
  ["http://127.0.0.9:9999/", "127.0.0.0/8", false],
  ["http://127.0.0.9:9999/", "127.0.0.1/8", false],
  ["http://127.0.0.9:9999/", "127.0.0.8/31", false],
  ["http://127.0.0.9:9999/", "127.0.0.8/32", true],
  ["http://127.0.0.9:9999/", "127.0.0.9/33", true],
  ["http://127.0.0.9:9999/", "127.0.0.9/", true],
  ["http://127.0.0.9:9999/", "127.0.0.9:9999", true],
  ["http://127.0.0.9:9999/", "127.", true],
  ["http://127.0.0.9:9999/", "127.0.0.09", true],
  ["http://127.0.0.9:9999/", "127.9", true],
  ["http://127.0.0.9:9999/", "*", true],
  ["http://127.0.0.9:9999/", "::ffff:127.0.0.9", true],
  ["http://[::1]:9999/", "::1", false],
  ["http://[::1]:9999/", "0:0:0:0:0:0:0:1", false],
  ["http://[::1]:9999/", "::/64", false],
  ["http://[::1]:9999/", "[::1]", true],
  ["http://[::1]:9999/", "127.0.0.0/8", true],
  ["http://[::ffff:127.0.0.9]:9999/", "127.0.0.0/8", true],
  ["http://[::ffff:127.0.0.9]:9999/", "::ffff:0:0/96", false],
  ["http://localhost:9999/", "localhost", false],
] as const;

for (const [url, except, expected] of EXCEPTIONS) {
  Deno.test(`NO_PROXY=${JSON.stringify(except)} lets ${url} ${expected ? "through a proxy" : "connect"}, as fetch has it`, async () => {
    assertEquals(isProxied(url, except), expected);
    assertEquals(await isProxiedByFetch(url, except), expected);
  });
}

Deno.test("createFindProxy() prefers the proxy of the scheme to the one for all", () => {
  const find = createFindProxy({ http: HTTP, https: HTTPS, all: ALL, except: "no.invalid" });
  assertStrictEquals(find?.(new URL("http://a.invalid/")), HTTP);
  assertStrictEquals(find?.(new URL("https://a.invalid/")), HTTPS);
  assertEquals(find?.(new URL("https://no.invalid/")), undefined);
  const none = { http: undefined, https: undefined, all: undefined, except: "" };
  assertEquals(createFindProxy(none), undefined);
  const one = createFindProxy({ ...none, http: HTTP });
  assertEquals([one?.(new URL("https://a.invalid/")), one?.(new URL("http://a.invalid/"))], [
    undefined,
    HTTP,
  ]);
});

const SETTINGS: readonly [env: Record<string, string>, expected: Record<string, string>][] = [
  [{ HTTP_PROXY: "a", http_proxy: "b" }, { HTTP_PROXY: "a" }],
  [{ HTTP_PROXY: "", http_proxy: "b" }, { HTTP_PROXY: "b" }],
  [{ all_proxy: "c", https_proxy: "d" }, { HTTPS_PROXY: "d", ALL_PROXY: "c" }],
  [{ NO_PROXY: "", no_proxy: "e" }, { NO_PROXY: "" }],
  [{ no_proxy: "e" }, { NO_PROXY: "e" }],
  [{ HTTP_PROXY: "a", http_proxy: "b", ALL_PROXY: "c", REQUEST_METHOD: "GET" }, {
    HTTP_PROXY: "",
    ALL_PROXY: "c",
  }],
  [{}, {}],
];

for (const [env, expected] of SETTINGS) {
  Deno.test(`readProxySettings() reads ${JSON.stringify(env)}`, () => {
    assertEquals(readProxySettings(env), expected);
  });
}

const URLS = [
  ["http://a.example:3128", "http://a.example:3128", undefined],
  ["a.example:3128", "http://a.example:3128", undefined],
  ["a.example", "http://a.example", undefined],
  ["HTTPS://A.example/path?q", "https://a.example", undefined],
  ["socks5://a.example:1080", "socks5://a.example:1080", undefined],
  ["socks5h://a.example", "socks5h://a.example", undefined],
  ["http://[::1]:3128/", "http://[::1]:3128", undefined],
  ["http://me:a%3Ab@a.example", "http://a.example", ["me", "a:b"]],
  ["me:pass@a.example:1", "http://a.example:1", ["me", "pass"]],
  ["http://me@a.example", "http://a.example", ["me", ""]],
  ["http://me:50%@a.example", "http://a.example", ["me", "50%"]],
] as const;

for (const [text, url, auth] of URLS) {
  Deno.test(`parseProxy() reads ${text}`, () => {
    const basicAuth = auth && { username: auth[0], password: auth[1] };
    assertEquals(parseProxy(text), { url, basicAuth });
    using _client = Deno.createHttpClient({ proxy: { url, ...(basicAuth && { basicAuth }) } });
  });
}

Deno.test("parseProxy() refuses what is not the URL of a proxy that fetch can use", () => {
  assertEquals(parseProxy(""), undefined);
  for (
    const text of ["socks4://a", "socks://a", "ftp://a", "http://", "http://a:b:c", "a b", "://"]
  ) {
    assertThrows(() => parseProxy(text), TypeError, "must be the URL of a proxy");
  }
});

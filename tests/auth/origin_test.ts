import { assertEquals } from "@std/assert";
import { createOriginCheck } from "../../src/auth/origin.ts";

interface Case {
  readonly name: string;
  readonly allowed?: readonly string[];
  /** Default: every interface. */
  readonly listenHost?: string;
  readonly input: { readonly origin?: string; readonly host?: string };
  readonly expected: boolean;
}

const APP = ["https://app.example.com"];
const ALL = ["https://*.example.com"];
const HOST = "proxy.test:8000";

const CASES: readonly Case[] = [
  { name: "a request without an origin", input: {}, expected: true },
  { name: "a request without an origin and a host", input: { host: "" }, expected: true },
  { name: "a page of its own", input: { origin: "http://proxy.test:8000" }, expected: true },
  {
    name: "a page of its own, over TLS",
    input: { origin: "https://proxy.test:8000" },
    expected: true,
  },
  {
    name: "a page of its own, host in capitals",
    input: { origin: "http://proxy.test:8000", host: "PROXY.test:8000" },
    expected: true,
  },
  {
    name: "a page of its own, by IPv6",
    input: { origin: "http://[::1]:8000", host: "[::1]:8000" },
    expected: true,
  },
  {
    name: "a page of its own, the default port written out",
    input: { origin: "http://proxy.test", host: "proxy.test:80" },
    expected: true,
  },
  ...["127.0.0.1", "::1", "localhost", "127.8.8.8"].flatMap((listenHost) => [
    {
      name: `a page whose name was rebound to ${listenHost}`,
      listenHost,
      input: { origin: "http://evil.test:8000", host: "evil.test:8000" },
      expected: false,
    },
    ...["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "app.localhost:8000"].map((host) => ({
      name: `its own page at ${host} when it listens on ${listenHost}`,
      listenHost,
      input: { origin: `http://${host}`, host },
      expected: true,
    })),
  ]),
  { name: "a page on another port", input: { origin: "http://proxy.test:8001" }, expected: false },
  { name: "a page on another host", input: { origin: "http://evil.test:8000" }, expected: false },
  { name: "a page on a subdomain", input: { origin: "http://a.proxy.test:8000" }, expected: false },
  { name: "a sandboxed page", input: { origin: "null" }, expected: false },
  {
    name: "a sandboxed page, though pages are listed",
    allowed: [...APP, ...ALL],
    input: { origin: "null" },
    expected: false,
  },
  { name: "an empty origin", input: { origin: "" }, expected: false },
  { name: "no URL", input: { origin: "proxy.test:8000" }, expected: false },
  {
    name: "a page, with no host to compare",
    input: { origin: "http://proxy.test", host: "" },
    expected: false,
  },
  {
    name: "a listed page",
    allowed: APP,
    input: { origin: "https://app.example.com" },
    expected: true,
  },
  {
    name: "a listed page by another scheme",
    allowed: APP,
    input: { origin: "http://app.example.com" },
    expected: false,
  },
  {
    name: "a listed page on another port",
    allowed: APP,
    input: { origin: "https://app.example.com:8443" },
    expected: false,
  },
  {
    name: "what begins like a listed page",
    allowed: APP,
    input: { origin: "https://app.example.com.evil.test" },
    expected: false,
  },
  {
    name: "what ends like a listed page",
    allowed: APP,
    input: { origin: "https://evil-app.example.com" },
    expected: false,
  },
  {
    name: "a subdomain of those listed",
    allowed: ALL,
    input: { origin: "https://a.example.com" },
    expected: true,
  },
  {
    name: "a deep subdomain of those listed",
    allowed: ALL,
    input: { origin: "https://a.b.example.com" },
    expected: true,
  },
  {
    name: "the apex of those listed",
    allowed: ALL,
    input: { origin: "https://example.com" },
    expected: false,
  },
  {
    name: "the apex with a dot",
    allowed: ALL,
    input: { origin: "https://.example.com" },
    expected: false,
  },
  {
    name: "what ends like those listed",
    allowed: ALL,
    input: { origin: "https://evilexample.com" },
    expected: false,
  },
  {
    name: "a subdomain by another scheme",
    allowed: ALL,
    input: { origin: "http://long-name.example.com" },
    expected: false,
  },
  {
    name: "a subdomain on another port",
    allowed: ALL,
    input: { origin: "https://a.example.com:8443" },
    expected: false,
  },
  {
    name: "a subdomain on the port listed",
    allowed: ["https://*.example.com:8443"],
    input: { origin: "https://a.example.com:8443" },
    expected: true,
  },
  {
    name: "any page when all are",
    allowed: ["*"],
    input: { origin: "https://evil.test" },
    expected: true,
  },
  {
    name: "a sandboxed page when all are",
    allowed: ["*"],
    input: { origin: "null" },
    expected: true,
  },
];

for (const { name, allowed = [], listenHost = "0.0.0.0", input, expected } of CASES) {
  const { origin, host = HOST } = input;
  Deno.test(`createOriginCheck() ${expected ? "allows" : "refuses"} ${name}`, () => {
    const headers = new Headers();
    if (origin !== undefined) headers.set("origin", origin);
    if (host !== "") headers.set("host", host);
    const isAllowed = createOriginCheck({ allowedOrigins: allowed, listenHost });
    assertEquals(isAllowed(new Request("http://ignored/ws", { headers })), expected);
  });
}

Deno.test("createOriginCheck() checks each of several origins", () => {
  const isAllowed = createOriginCheck({
    allowedOrigins: ["https://a.test", "https://*.b.test"],
    listenHost: "0.0.0.0",
  });
  const origins = ["https://a.test", "https://x.b.test", "https://b.test"];
  const answers = origins.map((origin) =>
    isAllowed(new Request("http://x/", { headers: { origin } }))
  );
  assertEquals(answers, [true, true, false]);
});

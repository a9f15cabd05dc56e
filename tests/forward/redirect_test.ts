import { assertEquals, assertThrows } from "@std/assert";
import { followRedirect, redirectLocation } from "../../src/forward/redirect.ts";
import type { HopRequest } from "../../src/http/transport.ts";
import { type HeaderPairs, MAX_URL_LENGTH, ProxyError } from "../../src/protocol/mod.ts";

const HEADERS: HeaderPairs = [
  ["Authorization", "Bearer x"],
  ["cookie", "a=1"],
  ["x-api-key", "k"],
  ["accept", "text/x"],
];

function toHop(url: string): HopRequest {
  return { method: "GET", url: new URL(url), headers: HEADERS, body: null };
}

// Each row: from where | the location | the names of the fields that go along.
const ALL = "Authorization,cookie,x-api-key,accept";
const ORIGINS = [
  { name: "another path", from: "http://a.test/x", location: "/y", expected: ALL },
  {
    name: "the default port, spelt",
    from: "http://a.test/",
    location: "//a.test:80",
    expected: ALL,
  },
  { name: "the host in capitals", from: "http://a.test/", location: "//A.TEST/", expected: ALL },
  { name: "https instead of http", from: "http://a.test/", location: "https://a.test/" },
  { name: "https on the same port", from: "http://a.test:81/", location: "https://a.test:81/" },
  { name: "another port", from: "http://a.test/", location: "http://a.test:81/" },
  { name: "another host", from: "http://a.test/", location: "http://b.test/" },
  { name: "a subdomain", from: "http://a.test/", location: "http://x.a.test/" },
  { name: "the parent domain", from: "http://a.test/", location: "http://test/" },
  { name: "the host with a dot", from: "http://a.test/", location: "http://a.test./" },
];

for (const { name, from, location, expected = "accept" } of ORIGINS) {
  const kept = expected === ALL ? "keeps" : "drops";
  Deno.test(`followRedirect() ${kept} credentials on the way to ${name}`, () => {
    for (const status of [301, 302, 303, 307, 308]) {
      const { headers } = followRedirect(toHop(from), status, location);
      assertEquals(headers.map(([field]) => field).join(), expected);
    }
  });
}

Deno.test("followRedirect() takes a URL of the largest length, and refuses one that is longer", () => {
  const from = toHop("http://a.test/x");
  const longest = "http://a.test/".padEnd(MAX_URL_LENGTH, "y");
  const path = longest.slice("http://a.test".length);
  for (const location of [longest, path]) {
    assertEquals(followRedirect(from, 302, location).url.href, longest);
    const { code, sent, retryable } = assertThrows(
      () => followRedirect(from, 302, `${location}y`),
      ProxyError,
    );
    assertEquals([code, sent, retryable], ["http_protocol_error", "yes", false]);
  }
  // It is the URL that must not be too long, after its blanks have been escaped.
  const blanks = " ".repeat(MAX_URL_LENGTH / 2);
  assertThrows(() => followRedirect(from, 302, `/${blanks}y`), ProxyError, "no URL");
});

Deno.test("redirectLocation() finds the first location of the five statuses that redirect", () => {
  const headers: HeaderPairs = [["x", "y"], ["location", "/a"], ["location", "/b"]];
  const found = Array.from({ length: 500 }, (_, at) => at + 100)
    .filter((status) => redirectLocation(status, headers) === "/a");
  assertEquals(found, [301, 302, 303, 307, 308]);
  assertEquals(redirectLocation(302, [["x", "y"]]), undefined);
});

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  asSent,
  followRedirect,
  redirectLocation,
  refuseRedirect,
} from "../../src/forward/redirect.ts";
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

// The fields that follow a redirect within the origin; to another origin, only "accept" does.
const ALL = "Authorization,cookie,x-api-key,accept";
const ORIGINS = [
  { name: "another path", from: "http://a.test/x", location: "/y", expected: ALL },
  {
    name: "the default port, given explicitly",
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

Deno.test("followRedirect() follows a URL of the maximum length, and no longer URL", () => {
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
  // The limit applies to the URL after its spaces have been escaped.
  const blanks = " ".repeat(MAX_URL_LENGTH / 2);
  assertThrows(() => followRedirect(from, 302, `/${blanks}y`), ProxyError, "too long");
});

Deno.test("redirectLocation() returns the first location, for the five statuses that redirect", () => {
  const headers: HeaderPairs = [["x", "y"], ["location", "/a"], ["location", "/b"]];
  const found = Array.from({ length: 500 }, (_, at) => at + 100)
    .filter((status) => redirectLocation(status, headers) === "/a");
  assertEquals(found, [301, 302, 303, 307, 308]);
  assertEquals(redirectLocation(302, [["x", "y"]]), undefined);
});

const LOCATIONS = [
  { name: "UTF-8", input: "/caf\xc3\xa9?x=\xc3\xa9", expected: "/caf%C3%A9?x=%C3%A9" },
  { name: "Latin-1", input: "/caf\xe9", expected: "/caf%E9" },
  { name: "bytes that are no text", input: "/\xff\x80", expected: "/%FF%80" },
  { name: "escapes and spaces, which stay", input: "/a%c3%a9 b", expected: "/a%c3%a9 b" },
];

for (const { name, input, expected } of LOCATIONS) {
  Deno.test(`redirectLocation() encodes bytes of ${name}`, () => {
    assertEquals(redirectLocation(302, [["location", input]]), expected);
  });
}

Deno.test("refuseRedirect() refuses any redirect as an error, and the eleventh that is followed", () => {
  const { code, message, sent } = assertThrows(() => refuseRedirect("error", 0), ProxyError);
  assertEquals([code, sent], ["too_many_redirects", "yes"]);
  assertEquals(message, 'The response is a redirect, and "redirect" is "error"');
  for (let redirects = 0; redirects < 10; redirects++) refuseRedirect("follow", redirects);
  const error = assertThrows(() => refuseRedirect("follow", 10), ProxyError);
  assertEquals([error.code, error.message], ["too_many_redirects", "More than 10 redirects"]);
});

Deno.test("followRedirect() changes nothing of a hop but its URL when method and body stay", () => {
  const body = new Uint8Array(3);
  const hop = { ...toHop("http://a.test/x"), method: "PUT", body };
  const next = followRedirect(hop, 307, "/y");
  assertEquals(next, { ...hop, url: new URL("http://a.test/y") });
  assertStrictEquals(next.body, body);
  assertStrictEquals(next.headers, hop.headers);
});

Deno.test("followRedirect() drops the body and the fields that describe it when the method becomes GET", () => {
  const headers: HeaderPairs = [["Content-Type", "text/x"], ["accept", "x"], ["cookie", "a=1"]];
  const hop = { method: "POST", url: new URL("http://a.test/"), headers, body: new Uint8Array(3) };
  const { url: _, ...within } = followRedirect(hop, 303, "/y");
  assertEquals(within, { method: "GET", headers: headers.slice(1), body: null });
  assertEquals(followRedirect({ ...hop, decode: false }, 303, "/y").decode, false);
  const { headers: left } = followRedirect(hop, 303, "http://b.test/");
  assertEquals(left, [["accept", "x"]]);
});

// Whether the error of a later hop may be repeated: by that hop's own method, and by the request's.
const JUDGED = [
  { hop: "GET", method: "GET", retryable: true },
  { hop: "GET", method: "POST", retryable: false },
  { hop: "POST", method: "GET", retryable: false },
];

for (const { hop, method, retryable } of JUDGED) {
  Deno.test(`asSent() says whether a ${method} may be repeated after its ${hop} has failed`, () => {
    const error = new ProxyError("connection_terminated", "lost", { method: hop });
    const { code, message, sent, cause, ...rest } = asSent(error, method) as ProxyError;
    assertEquals([code, message, sent], ["connection_terminated", "lost", "yes"]);
    assertStrictEquals(cause, error);
    assertEquals([rest.retryable, rest.retryAfterMs], [retryable, undefined]);
  });
}

Deno.test("asSent() keeps how long to wait, and returns other errors as they are", () => {
  const waiting = new ProxyError("destination_unavailable", "open", { retryAfterMs: 500 });
  const judged = asSent(waiting, "GET") as ProxyError;
  assertEquals([judged.retryAfterMs, judged.sent, judged.retryable], [500, "yes", true]);
  const sent = new ProxyError("http_protocol_error", "x");
  const other = new Error("enough");
  for (const error of [sent, other]) assertStrictEquals(asSent(error, "POST"), error);
});

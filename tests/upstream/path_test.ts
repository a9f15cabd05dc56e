import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ProxyError } from "../../src/protocol/mod.ts";
import { buildUpstreamUrl, isBelow, pathBelow } from "../../src/upstream/path.ts";
import { BASES, HARMLESS_PATHS, HOSTILE_PATHS, mayEscape } from "./path_corpus.ts";

const BASE = new URL("https://api.example.com/v1");
const PIECES = [
  ..."/.%2e5f\\;?#:@au0cC ",
  ..."../ /.. %2e %2E %2f %5c %25 %252e %c0%ae %c0 %ae %u002e %00 %3b %3f ..; v1 base/path".split(
    " ",
  ),
  ..."\uff0e\uff0f\uff3c\u2025\u200b\u0301\ufe6a\u037e\u3002",
  "\t",
  "\ud800",
];

/** Returns the URL of a path, or `undefined` if it is refused with one of the expected errors. */
function build(base: URL, path: string): URL | undefined {
  try {
    return buildUpstreamUrl(base, path);
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    assert(["bad_request", "http_request_denied"].includes(error.code), error.code);
    assertEquals(error.sent, "no");
    return undefined;
  }
}

function assertBelow(base: URL, url: URL): void {
  assertEquals(url.origin, base.origin);
  assert(`${url.pathname}/`.startsWith(base.pathname.replace(/\/?$/, "/")), url.href);
  assert(!mayEscape(base, url.pathname), url.href);
  assert(isBelow(base, url), url.href);
}

for (const base of BASES) {
  Deno.test(`buildUpstreamUrl() keeps every hostile path below ${base} or refuses it`, () => {
    for (const path of HOSTILE_PATHS) {
      const url = build(base, path);
      if (url !== undefined) assertBelow(base, url);
    }
  });

  Deno.test(`buildUpstreamUrl() takes harmless paths below ${base}`, () => {
    for (const [path, expected] of HARMLESS_PATHS) {
      const url = buildUpstreamUrl(base, path);
      assertEquals(url.href, base.href.replace(/\/$/, "") + expected);
      assertBelow(base, url);
    }
  });

  Deno.test(`buildUpstreamUrl() keeps paths of random pieces below ${base} or refuses them`, () => {
    const paths = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 });
    fc.assert(
      fc.property(paths, (pieces) => {
        const url = build(base, `/${pieces.join("")}`);
        if (url !== undefined) assertBelow(base, url);
      }),
      { numRuns: 1000 },
    );
  });

  Deno.test(`isBelow() accepts no target that may leave ${base}`, () => {
    const paths = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 });
    fc.assert(
      fc.property(paths, fc.boolean(), (pieces, below) => {
        const start = below ? base.pathname.replace(/\/?$/, "/") : "/";
        const url = URL.parse(start + pieces.join(""), base);
        if (url !== null && isBelow(base, url)) assertBelow(base, url);
      }),
      { numRuns: 1000 },
    );
  });
}

Deno.test("buildUpstreamUrl() refuses every hostile path", () => {
  const taken = HOSTILE_PATHS.filter((path) => build(BASE, path) !== undefined);
  assertEquals(taken, []);
  assert(HOSTILE_PATHS.length >= 70);
});

Deno.test("mayEscape() finds every kind of escape", () => {
  const escapes = ["/v1/..", "/v1/%2e%2e/x", "/v1/..%252f", "/v1/..;/x", "/v1/%c0%ae./", "/v2"];
  for (const path of escapes) assert(mayEscape(BASE, path), path);
  for (const path of ["/v1", "/v1/a/../b", "/v1/a%2fb"]) assert(!mayEscape(BASE, path), path);
});

const REFUSED = [
  { name: "no path", path: "repos", code: "bad_request", message: 'must begin with "/"' },
  { name: "an absolute URL", path: "https://x.test/", code: "bad_request", message: "must begin" },
  { name: "a tab", path: "/a\tb", code: "bad_request", message: "control character" },
  { name: "a line end in the query", path: "/a?b\n", code: "bad_request", message: "control" },
  { name: "a lone surrogate", path: "/\ud83d", code: "bad_request", message: "lone surrogate" },
  { name: "two slashes", path: "//x.test", code: "http_request_denied", message: "two slashes" },
  { name: "a backslash", path: "/a\\b", code: "http_request_denied", message: "backslash" },
  { name: "an encoded NUL", path: "/a%00", code: "http_request_denied", message: "control" },
  { name: "a dot segment", path: "/a/..", code: "http_request_denied", message: '".."' },
  { name: "overlong UTF-8", path: "/%c0%af", code: "http_request_denied", message: "overlong" },
  {
    name: "endless encoding",
    path: `/%${"25".repeat(20)}`,
    code: "http_request_denied",
    message: "too many times",
  },
];

for (const { name, path, code, message } of REFUSED) {
  Deno.test(`buildUpstreamUrl() refuses ${name}, and its message says so`, () => {
    const error = assertThrows(() => buildUpstreamUrl(BASE, path), ProxyError, message);
    assertEquals([error.code, error.retryable], [code, false]);
    assert(error.message.startsWith('"path" '), error.message);
  });
}

// In each path nothing else is wrong.
const OVERLONG_PATHS = [
  { name: "NUL in two bytes", path: "/x%c0%80y" },
  { name: "a letter in two bytes", path: "/x%c1%90y" },
  { name: "a percent sign in two bytes", path: "/%c0%a52e%c0%a52e/x" },
  { name: "a semicolon in two bytes", path: "/x%c0%bby" },
  { name: "a dot in capital digits", path: "/x%C0%AEy" },
  { name: "a dot whose second byte has no mark", path: "/x%c0%2ey" },
  { name: "a slash whose second byte has no mark", path: "/x%c0%2fy" },
  { name: "a dot whose second byte is masked to 6 bits", path: "/x%c0%eey" },
  { name: "a slash whose second byte is masked to 6 bits", path: "/x%c0%6fy" },
  { name: "a backslash whose second byte has no first bits", path: "/x%c1%1cy" },
  { name: "a backslash whose second byte has one first bit", path: "/x%c1%5cy" },
  { name: "a slash in three bytes", path: "/x%e0%80%afy" },
  { name: "the last character in three bytes too many", path: "/x%e0%9f%bfy" },
  { name: "a slash in four bytes", path: "/x%f0%80%80%afy" },
  { name: "the last character in four bytes too many", path: "/x%f0%8f%bf%bfy" },
  { name: "a slash in five bytes", path: "/x%f8%80%80%80%afy" },
  { name: "the last character in five bytes too many", path: "/x%f8%87%bf%bf%bfy" },
  { name: "a slash in six bytes", path: "/x%fc%80%80%80%80%afy" },
  { name: "the last character in six bytes too many", path: "/x%fc%83%bf%bf%bf%bfy" },
];

for (const { name, path } of OVERLONG_PATHS) {
  Deno.test(`buildUpstreamUrl() refuses ${name} as overlong UTF-8`, () => {
    const error = assertThrows(() => buildUpstreamUrl(BASE, path), ProxyError, "overlong UTF-8");
    assertEquals(error.code, "http_request_denied");
  });
}

for (const path of ["/%c2%a1", "/%e0%a0%80", "/%f0%90%80%80"]) {
  Deno.test(`buildUpstreamUrl() takes ${path}, the shortest UTF-8 of a character`, () => {
    assertEquals(buildUpstreamUrl(BASE, path).href, BASE.href + path);
  });
}

/** A path whose last two digits are a character once it has been decoded so many times. */
function encodeTimes(times: number, digits: string): string {
  return `/%${"25".repeat(times - 1)}${digits}`;
}

Deno.test("buildUpstreamUrl() takes a path that is encoded eight times, and none encoded nine times", () => {
  const path = encodeTimes(8, "41");
  assertEquals(buildUpstreamUrl(BASE, path).href, BASE.href + path);
  assertThrows(() => buildUpstreamUrl(BASE, encodeTimes(9, "41")), ProxyError, "too many times");
});

Deno.test("buildUpstreamUrl() refuses a dot segment that is encoded eight times", () => {
  assertThrows(() => buildUpstreamUrl(BASE, encodeTimes(8, "2e")), ProxyError, '".."');
});

Deno.test("buildUpstreamUrl() counts how often a path is encoded without its invisible characters", () => {
  const path = encodeTimes(9, "41").replace("%2", "%2\u00ad");
  assertThrows(() => buildUpstreamUrl(BASE, path), ProxyError, "too many times");
});

Deno.test("buildUpstreamUrl() takes a URL as long as any may be, and none longer", () => {
  const room = 65_534 - BASE.href.length;
  assertEquals(buildUpstreamUrl(BASE, `/?${"a".repeat(room - 2)}`).href.length, 65_534);
  assertEquals(buildUpstreamUrl(BASE, `/#${"a".repeat(65_532)}`).href, `${BASE.href}/`);
  const tooLong = [
    `/?${"a".repeat(room - 1)}`,
    `/#${"a".repeat(65_533)}`,
    `/?${"a".repeat(65_534)}`,
    `/?${"\u00e9".repeat(20_000)}`,
  ];
  for (const path of tooLong) {
    const error = assertThrows(() => buildUpstreamUrl(BASE, path), ProxyError, "65534 characters");
    assertEquals(error.code, "bad_request");
  }
});

Deno.test("buildUpstreamUrl() takes a path of 16,384 characters without its query, and none longer", () => {
  for (const rest of ["", `?${"a".repeat(40_000)}`]) {
    const path = `/${"a".repeat(16_383)}${rest}`;
    assertEquals(buildUpstreamUrl(BASE, path).pathname.length, "/v1".length + 16_384);
    for (const longer of [`/a${path.slice(1)}`, `/${"\u00e9".repeat(2731)}${rest}`]) {
      const error = assertThrows(() => buildUpstreamUrl(BASE, longer), ProxyError);
      assertEquals([error.code, error.message], [
        "bad_request",
        '"path" without its query is longer than 16384 characters',
      ]);
    }
  }
  const target = `https://api.example.com/v1/${"a".repeat(16_383)}`;
  assertEquals([isBelow(BASE, new URL(target)), isBelow(BASE, new URL(`${target}a`))], [
    true,
    false,
  ]);
});

Deno.test("buildUpstreamUrl() reads long paths of escapes within the time of a test", () => {
  // 0.2 s on an idle machine. If each escape is decoded by itself, the deadline of tests passes in CI.
  const path = `/${"%25252525252525".repeat(1000)}`;
  for (let times = 0; times < 600; times++) buildUpstreamUrl(BASE, path);
  assertEquals(buildUpstreamUrl(BASE, path).pathname.length, `/v1${path}`.length);
});

Deno.test("buildUpstreamUrl() looks at the encoded length before it looks at what the path contains", () => {
  const error = assertThrows(
    () => buildUpstreamUrl(BASE, `/${"\ufdfa".repeat(60_000)}/..`),
    ProxyError,
    "65534 characters",
  );
  assertEquals(error.code, "bad_request");
});

const TARGETS = [
  { name: "the base itself", target: "https://api.example.com/v1", expected: "/" },
  { name: "the base with a slash", target: "https://api.example.com/v1/", expected: "/" },
  { name: "a path below", target: "https://api.example.com/v1/a%2Fb?c#d", expected: "/a%2Fb" },
  { name: "the default port", target: "https://api.example.com:443/v1/a", expected: "/a" },
  { name: "a path that starts like the base", target: "https://api.example.com/v10/a" },
  { name: "a path above", target: "https://api.example.com/" },
  { name: "the base in capitals", target: "https://api.example.com/V1/a" },
  { name: "the base encoded", target: "https://api.example.com/%761/a" },
  { name: "another scheme", target: "http://api.example.com/v1/a" },
  { name: "another port", target: "https://api.example.com:8443/v1/a" },
  { name: "another host", target: "https://api.example.com.evil.test/v1/a" },
  { name: "a user", target: "https://user@api.example.com/v1/a" },
  { name: "a password", target: "https://:secret@api.example.com/v1/a" },
];

for (const { name, target, expected } of TARGETS) {
  Deno.test(`isBelow() ${expected === undefined ? "refuses" : "accepts"} ${name}`, () => {
    const url = new URL(target);
    assertStrictEquals(isBelow(BASE, url), expected !== undefined);
    if (expected !== undefined) return assertEquals(pathBelow(BASE, url), expected);
    const error = assertThrows(() => pathBelow(BASE, url), ProxyError);
    assertEquals(error.code, "http_request_denied");
  });
}

for (
  const path of ["/v1/..%2fx", "/v1/..;/x", "/v1/%252e%252e/x", "/v1/x%00", "/v1//x", "/v1/a%5cb"]
) {
  Deno.test(`isBelow() refuses a redirect to ${path}`, () => {
    assert(!isBelow(BASE, new URL(path, BASE)));
  });
}

Deno.test("pathBelow() returns the part below a base that ends with a slash, or is the root", () => {
  const root = new URL("https://api.example.com/");
  const deep = new URL("http://127.0.0.1:8080/base/path/");
  assertEquals(pathBelow(deep, new URL("http://127.0.0.1:8080/base/path/a/b?c")), "/a/b");
  assertEquals(pathBelow(deep, new URL("http://127.0.0.1:8080/base/path")), "/");
  assertEquals(pathBelow(root, new URL("https://api.example.com/a?b")), "/a");
});

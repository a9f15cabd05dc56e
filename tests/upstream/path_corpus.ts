/**
 * Paths that try to leave the base of an upstream, unusual paths that do not, and how a lenient server may read
 * them.
 *
 * @module
 */

/** Bases for the paths: with a path, without one, with a slash at the end. */
export const BASES: readonly URL[] = [
  new URL("https://api.example.com/v1"),
  new URL("https://api.example.com/"),
  new URL("http://127.0.0.1:8080/base/path/"),
];

/** Paths that must be refused, or stay below the base in every reading. */
export const HOSTILE_PATHS: readonly string[] = [
  // Another host
  "//evil.example",
  "//evil.example/x",
  "///evil.example",
  "/\\evil.example",
  "\\\\evil.example",
  "\\/evil.example",
  "/\t/evil.example",
  "/\n/evil.example",
  "\t//evil.example",
  " //evil.example",
  "/%2fevil.example",
  "/%2f%2fevil.example",
  "/%5cevil.example",
  "/%252fevil.example",
  "/\uff0fevil.example",
  "https://evil.example/",
  "https:evil.example",
  "https:/evil.example",
  "http://127.0.0.1/",
  "file:///etc/passwd",
  "javascript:alert(1)",
  "data:,x",
  "@evil.example",
  ":80@evil.example/",
  ".evil.example/",
  ":8443/",
  "?x",
  "#x",
  "",
  // Dot segments
  "..",
  "../x",
  "/..",
  "/../",
  "/../x",
  "/../../x",
  "/a/../../x",
  "/a/b/../../../x",
  "/./../x",
  "/.",
  "/a/./b",
  "/a//../../../x",
  "/..?x=1",
  "/..#x",
  "/a/..",
  // … encoded
  "/%2e%2e/x",
  "/%2E%2E/x",
  "/.%2e/x",
  "/%2e./x",
  "/a/%2e%2e/%2e%2e/x",
  "/%2e",
  "/%252e%252e/x",
  "/%252e%252e%252fx",
  "/%25252e%25252e/x",
  "/%2525252e%2525252e%2525252fx",
  `/${"%25".repeat(1)}${"25".repeat(40)}2e/x`,
  "/%%32%65%%32%65/x",
  "/%2%65%2%65/x",
  // … with encoded slashes
  "/..%2f",
  "/..%2Fx",
  "/%2e%2e%2fx",
  "/%2e%2e%2F%2e%2e%2Fx",
  "/a%2f..%2f..%2fx",
  "/a%2f..%2f..%2f..%2f..%2fx",
  "/a%2f../x",
  "/..%252fx",
  "/a/b%2f..%2f..%2f..%2f..",
  // … with backslashes
  "/..\\x",
  "/..%5cx",
  "/..%5Cx",
  "/..%255cx",
  "/a\\..\\..\\x",
  "/a%5c..%5c..%5cx",
  "/%5c..%5c",
  "/..%ef%bc%bcx",
  "/\uff3c..\uff3cx",
  // … with path parameters
  "/..;/x",
  "/..;x=1/y",
  "/..;x",
  "/;/../x",
  "/;x/../../y",
  "/.;/x",
  "/.;x/..;y/z",
  "/..%3b/x",
  "/..%3bx=1/y",
  "/..%253b/x",
  "/%2e%2e;/x",
  "/%2e%2e%3b/x",
  "/a;x/..;y/..;z/..;/b",
  "/..\u037e/x",
  // … cut off behind
  "/..%3fx",
  "/..%23x",
  "/..%253fx",
  "/a/..%3f/..%3f/x",
  // … overlong
  "/%c0%ae%c0%ae/x",
  "/%C0%AE%C0%AE%C0%AFx",
  "/..%c0%afx",
  "/..%c1%9cx",
  "/..%c0%2fx",
  "/%c0%2e%c0%2e/x",
  "/%c0.%c0./x",
  "/%e0%80%ae%e0%80%ae/x",
  "/..%e0%80%afx",
  "/%f0%80%80%ae%f0%80%80%ae/x",
  "/%f8%80%80%80%ae%f8%80%80%80%ae/x",
  "/%fc%80%80%80%80%ae%fc%80%80%80%80%ae/x",
  "/%25c0%25ae%25c0%25ae/x",
  "/..%c0%9v../x",
  "/..%c1%8s../x",
  "/%c0%6e%c0%6e/x",
  "/..%c1%dcx",
  // … by another escape
  "/%u002e%u002e/x",
  "/%U002E%u002e%u002fx",
  "/..%u2215x",
  "/..%u2216x",
  "/..%u005cx",
  "/%uff0e%uff0e%uff0fx",
  "/%25u002e%25u002e/x",
  "/\\u002e\\u002e/x",
  // … by characters that become dots and slashes
  "/\uff0e\uff0e/x",
  "/%ef%bc%8e%ef%bc%8e/x",
  "/%EF%BC%8E%EF%BC%8E%EF%BC%8Fx",
  "/\u2024\u2024/x",
  "/\u2025/x",
  "/\ufe30/x",
  "/\ufe52\ufe52/x",
  "/..\uff0fx",
  "/..\u2044x",
  "/..\u2215x",
  "/..\u2216x",
  "/..\u29f5x",
  "/..\u29f8x",
  "/..\u00a5x",
  "/..\u20a9x",
  "/\u3002\u3002/x",
  "/\uff61\uff61/x",
  "/\uff052e\uff052e/x",
  "/\ufe6a2e\ufe6a2e/x",
  "/%252e\u0301%252e\u0301/x",
  // … with something that is dropped
  "/.. /x",
  "/..%20/x",
  "/..%20",
  "/%20../x",
  "/. ./x",
  "/..%c2%a0/x",
  "/.\u200b./x",
  "/.%e2%80%8b./x",
  "/..\u00ad/x",
  "/..\ufeff/x",
  "/..%ef%bb%bf/x",
  "/.\u0301./x",
  "/..%ff/x",
  "/%2\u00ade%2\u00ade/x",
  "/%2%e2%80%8be%2%e2%80%8be/x",
  "/.%80./x",
  // Control characters
  "/x%00",
  "/..%00/x",
  "/.%00./x",
  "/..%0d/x",
  "/x%0d%0aHost:%20evil.example",
  "/x%250d%250aHost:%20evil.example",
  "/..%09/x",
  "/.%0a./x",
  "/%7f../x",
  "/x%c2%85y",
  "/x\u0000",
  "/x\r\nHost: evil.example",
  "/.\t./x",
  "/.\n./x",
  "/x\u0085y",
  // Half a character
  "/\ud800",
  "/..\udfff/x",
  "/x?y=\ud800",
];

/** Paths that mean what they say, and the path and query that they become below the base. */
export const HARMLESS_PATHS: readonly (readonly [path: string, expected: string])[] = [
  ["/", "/"],
  ["/repos/x?y=1", "/repos/x?y=1"],
  ["/repos/x?y=1#z", "/repos/x?y=1"],
  ["/repos/x#z?y=1", "/repos/x"],
  ["/x#/../..", "/x"],
  ["/x?", "/x?"],
  ["/x?a=/../..&b=..%2f..&c=\\&d=%00&e=//f", "/x?a=/../..&b=..%2f..&c=\\&d=%00&e=//f"],
  ["/x?u=https://example.com/?a=b", "/x?u=https://example.com/?a=b"],
  ["/x?q=a b\u00e9'\"", "/x?q=a%20b%C3%A9%27%22"],
  ["/?x", "/?x"],
  ["/projects/group%2Fproject", "/projects/group%2Fproject"],
  ["/projects/group%252Fproject", "/projects/group%252Fproject"],
  ["/files/src%2F.github%2Fa..b", "/files/src%2F.github%2Fa..b"],
  ["/a%20b", "/a%20b"],
  ["/a b", "/a%20b"],
  ["/caf\u00e9", "/caf%C3%A9"],
  ["/caf%C3%A9", "/caf%C3%A9"],
  ["/caf%e9", "/caf%e9"],
  ["/\u65e5\u672c", "/%E6%97%A5%E6%9C%AC"],
  ["/\ud83d\ude00", "/%F0%9F%98%80"],
  ["/wiki/1\uff0f2", "/wiki/1%EF%BC%8F2"],
  ["/wiki/No\u2026", "/wiki/No%E2%80%A6"],
  ["/@scope/name", "/@scope/name"],
  ["/a:b", "/a:b"],
  ["/http://example.com/x", "/http://example.com/x"],
  ["/a;v=1/b;w=2", "/a;v=1/b;w=2"],
  ["/;v=1", "/;v=1"],
  ["/..foo", "/..foo"],
  ["/foo..", "/foo.."],
  ["/foo..bar", "/foo..bar"],
  ["/.foo", "/.foo"],
  ["/.well-known/x", "/.well-known/x"],
  ["/compare/v1.0...v1.1", "/compare/v1.0...v1.1"],
  ["/...", "/..."],
  ["/..../x", "/..../x"],
  ["/a//b", "/a//b"],
  ["/a/", "/a/"],
  ["/a///", "/a///"],
  ["/%", "/%"],
  ["/%zz", "/%zz"],
  ["/%2", "/%2"],
  ["/100%", "/100%"],
  ["/%u0041", "/%u0041"],
  ["/a+b", "/a+b"],
  ["/~user", "/~user"],
  ["/a&b=c,d!e$f'(g)*", "/a&b=c,d!e$f'(g)*"],
  ["/a|b^c[d]", "/a|b^c[d]"],
];

/** Says whether any of a careless server's readings of a path is not below the base's path. */
export function mayEscape(base: URL, pathname: string): boolean {
  const prefix = base.pathname.replace(/\/$/, "");
  return readingsOf(pathname).some((reading) => {
    const place = resolve(reading);
    return place === undefined || place !== prefix && !place.startsWith(`${prefix}/`);
  });
}

// What servers, their proxies and their frameworks do to a path, in any order.
const HABITS: readonly ((path: string) => string)[] = [
  (path) => decode(path),
  (path) => path.replace(/%2e/gi, "."),
  (path) => path.replace(/%2f/gi, "/"),
  (path) => path.replaceAll("\\", "/"),
  (path) => path.replace(/;[^/]*/g, ""),
  (path) => path.replace(/[?#].*/s, ""),
  (path) => path.normalize("NFKC"),
  (path) => path.replace(/[\p{Cc}\p{Default_Ignorable_Code_Point}\ufffd]/gu, ""),
  (path) => path.replace(/[ \t\r\n]+(?=\/|$)/g, ""),
  (path) => path.replace(/\/{2,}/g, "/"),
];

const MAX_READINGS = 300;

/** All that comes out of a path when up to five habits are applied one after the other. */
function readingsOf(pathname: string): readonly string[] {
  const readings = new Set([pathname]);
  let latest = [pathname];
  for (let round = 0; round < 5 && readings.size < MAX_READINGS; round++) {
    latest = latest.flatMap((path) => HABITS.map((habit) => habit(path)))
      .filter((path) => !readings.has(path) && readings.add(path));
  }
  return [...readings];
}

function decode(path: string): string {
  const units = path.replace(
    /%u([\da-f]{4})/gi,
    (_, code) => String.fromCharCode(parseInt(code, 16)),
  );
  const short = units
    .replace(/(?:%c0|%e0%80|%f0%80%80|%f8%80%80%80|%fc%80%80%80%80)%ae/gi, ".")
    .replace(/(?:%c0|%e0%80|%f0%80%80|%f8%80%80%80|%fc%80%80%80%80)%af/gi, "/")
    .replace(/(?:%c1|%e0%81|%f0%80%81|%f8%80%80%81|%fc%80%80%80%81)%9c/gi, "\\");
  return short.replace(/(?:%[\da-f]{2})+/gi, (run) => {
    const bytes = run.slice(1).split("%").map((byte) => parseInt(byte, 16));
    return new TextDecoder().decode(new Uint8Array(bytes));
  });
}

/** Resolves dot segments; `undefined`: they lead above the root. */
function resolve(path: string): string | undefined {
  const segments: string[] = [];
  for (const segment of path.split("/").slice(1)) {
    if (segment === "..") {
      if (segments.pop() === undefined) return undefined;
    } else if (segment !== ".") segments.push(segment);
  }
  return `/${segments.join("/")}`;
}

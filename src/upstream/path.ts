/**
 * From a path that a client sends to a URL below an upstream's base, and no other: what any server on the
 * way could read as a way out is refused, however it is spelled.
 *
 * @module
 */
import { MAX_URL_LENGTH, ProxyError } from "../protocol/mod.ts";

// A URL inside a URL inside a URL is encoded three times; nobody needs as many.
const MAX_DECODINGS = 8;

// ASCII as UTF-8 that is too long (RFC 3629 §3), also with a second byte that careless decoders mask, or
// with digits that they do not check
const OVERLONG =
  /%c[01]%(?:[89ab][\da-f]|(?![\da-f]{2}))|%c0%[26ae][ef]|%c1%[159d]c|%e0%[89][\da-f]|%f0%8[\da-f]|%f8%8[0-7]|%fc%8[0-3]/i;
const CONTROL = /\p{Cc}/u;
// With the characters that conversions to older character sets turn into a slash or a backslash.
const SEPARATORS = /[/\u2044\u2215\u2216\u29f5\u29f8\u00a5\u20a9]/;
const DOTS = /[.\u3002]/;
// A server may cut a segment off here: path parameters, or a query or fragment once it has decoded them.
const SEGMENT_END = /[;?#].*/s;
// Dropped by some servers: at the end of a name, as invisible, as marks, as bytes that are no UTF-8.
const DROPPED = /[\s\p{Default_Ignorable_Code_Point}\p{M}\ufffd]/gu;
const DOT_SEGMENT = /^[.\u3002]{1,2}$/;

/**
 * Gives the URL of a path below a base. The query is kept, a fragment is cut off.
 *
 * @param base Its path counts up to a slash at its end; it has neither query nor fragment.
 * @param path What stands behind the base: `/repos/x?y=1`.
 * @throws {ProxyError} `bad_request`: it is no path; `http_request_denied`: it may lead out of the base.
 */
export function buildUpstreamUrl(base: URL, path: string): URL {
  refuseMalformed(path);
  const [reference = ""] = path.split("#", 1);
  const [raw = ""] = reference.split("?", 1);
  // Before it is parsed: the parser resolves dot segments, and then they are no longer seen.
  const reason = findEscape(raw);
  if (reason !== undefined) throw denied(reason);
  const url = URL.parse(base.origin + prefixOf(base) + reference);
  if (url === null) {
    throw new ProxyError("bad_request", '"path" gives no URL; check its characters');
  }
  if (url.href.length > MAX_URL_LENGTH) throw tooLong();
  if (!isBelow(base, url)) throw denied("leads out of the upstream");
  return url;
}

/** Says whether a parsed URL, a redirect's target, is the base or below it in every reading. */
export function isBelow(base: URL, url: URL): boolean {
  const below = sliceBelow(base, url);
  return below !== undefined && findEscape(below) === undefined;
}

/**
 * Gives the part of a URL's path below the base's: it begins with `/`, and is encoded as in the URL.
 *
 * @throws {ProxyError} `http_request_denied`: the URL is not below the base.
 */
export function pathBelow(base: URL, url: URL): string {
  const below = sliceBelow(base, url);
  if (below === undefined) throw denied("leads out of the upstream");
  return below;
}

function refuseMalformed(path: string): void {
  if (path.length > MAX_URL_LENGTH) throw tooLong();
  if (!path.startsWith("/")) {
    throw new ProxyError(
      "bad_request",
      '"path" must begin with "/"; send one like "/items?page=1"',
    );
  }
  if (CONTROL.test(path) || !path.isWellFormed()) {
    throw new ProxyError(
      "bad_request",
      '"path" holds a control character or half a character; percent-encode it in the query, or leave it out',
    );
  }
}

function prefixOf({ pathname }: URL): string {
  return pathname.endsWith("/") ? pathname.slice(0, -1) : pathname;
}

function sliceBelow(base: URL, url: URL): string | undefined {
  if (url.origin !== base.origin || url.username !== "" || url.password !== "") return undefined;
  const prefix = prefixOf(base);
  if (url.pathname === prefix) return "/";
  return url.pathname.startsWith(`${prefix}/`) ? url.pathname.slice(prefix.length) : undefined;
}

/**
 * Gives a path as it stands, and each of its decodings until there is nothing left to decode, or there are
 * too many.
 *
 * @param normalize Is done to each before it is decoded further. Default: nothing.
 */
export function readingsOf(
  path: string,
  normalize = (text: string): string => text,
): readonly string[] {
  const readings: string[] = [];
  let text = path;
  while (readings.length <= MAX_DECODINGS + 1) {
    const normal = normalize(text);
    readings.push(normal);
    text = decodeOnce(normal);
    if (text === normal) break;
  }
  return readings;
}

function findEscape(path: string): string | undefined {
  // NFKD finds the compatibility characters that NFKC does, and joins no mark to the "e" of "%2e".
  const toNormal = (text: string): string => text.normalize("NFKD");
  const kept = readingsOf(path, toNormal);
  // What a server drops may have stood inside "%2e".
  const dropped = readingsOf(path, (text) => toNormal(text).replace(DROPPED, ""));
  if (Math.max(kept.length, dropped.length) > MAX_DECODINGS + 1) {
    return "is percent-encoded too many times";
  }
  for (const reading of [...kept, ...dropped]) {
    const reason = findFault(reading);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function findFault(text: string): string | undefined {
  if (text.startsWith("//")) return 'must not begin with two slashes, nor with "/%2F"';
  if (text.includes("\\")) return "must not hold a backslash, in any spelling";
  if (CONTROL.test(text)) return "must not hold an encoded control character";
  if (OVERLONG.test(text)) return "must not hold overlong UTF-8";
  if (DOTS.test(text) && text.split(SEPARATORS).some(isDotSegment)) {
    return 'must not hold the segments "." and "..", in any spelling';
  }
  return undefined;
}

function isDotSegment(segment: string): boolean {
  return DOT_SEGMENT.test(segment.replace(SEGMENT_END, "").replace(DROPPED, ""));
}

/** Takes one layer of percent-encoding off; bytes that are no UTF-8 become U+FFFD. */
function decodeOnce(text: string): string {
  return text
    .replace(/%u([\da-f]{4})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
    .replace(/(?:%[\da-f]{2})+/gi, (run) =>
      new TextDecoder("utf-8", { ignoreBOM: true })
        .decode(Uint8Array.fromHex(run.replaceAll("%", ""))));
}

function denied(reason: string): ProxyError {
  return new ProxyError("http_request_denied", `"path" ${reason}`);
}

function tooLong(): ProxyError {
  return new ProxyError(
    "bad_request",
    `"path" has more than ${MAX_URL_LENGTH} characters, or its URL has`,
  );
}

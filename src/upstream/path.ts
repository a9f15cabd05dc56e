/**
 * Builds URLs below the base URL of an upstream from paths that clients send. A path that any server on the way
 * could read as one outside the base, in whatever encoding, is refused.
 *
 * @module
 */
import { MAX_URL_LENGTH, ProxyError } from "../protocol/mod.ts";

// A URL inside a URL inside a URL is encoded three times; more than eight times is never needed.
const MAX_DECODINGS = 8;

// ASCII in UTF-8 of more bytes than necessary (RFC 3629 §3). Also with second bytes of which lenient decoders use
// some bits only, and with digits that they do not check.
const OVERLONG =
  /%c[01]%(?:[89ab][\da-f]|(?![\da-f]{2}))|%c0%[26ae][ef]|%c1%[159d]c|%e0%[89][\da-f]|%f0%8[\da-f]|%f8%8[0-7]|%fc%8[0-3]/i;
const CONTROL = /\p{Cc}/u;
// Includes the characters that conversions to older character sets turn into a slash or a backslash.
const SEPARATORS = /[/\u2044\u2215\u2216\u29f5\u29f8\u00a5\u20a9]/;
const DOTS = /[.\u3002]/;
// Where a server may end a segment: at path parameters, or at a query or fragment that it has decoded.
const SEGMENT_END = /[;?#].*/s;
// Dropped by some servers: spaces at the end of a name, invisible characters, marks, invalid UTF-8.
const DROPPED = /[\s\p{Default_Ignorable_Code_Point}\p{M}\ufffd]/gu;
const DOT_SEGMENT = /^[.\u3002]{1,2}$/;

/**
 * Returns the URL of a path below a base URL. A query is kept, a fragment is removed.
 *
 * @param base A URL without query and fragment, with or without a slash at its end.
 * @param path The part after the base: `/repos/x?y=1`.
 * @throws {ProxyError} `bad_request`: the text is not a path; `http_request_denied`: the path may lead outside the
 * base.
 */
export function buildUpstreamUrl(base: URL, path: string): URL {
  refuseMalformed(path);
  const [reference = ""] = path.split("#", 1);
  const [raw = ""] = reference.split("?", 1);
  // Checked before parsing, which removes dot segments.
  const reason = findEscape(raw);
  if (reason !== undefined) throw denied(reason);
  const url = URL.parse(base.origin + prefixOf(base) + reference);
  if (url === null) {
    throw new ProxyError("bad_request", '"path" does not form a valid URL; check its characters');
  }
  if (url.href.length > MAX_URL_LENGTH) throw tooLong();
  if (!isBelow(base, url)) throw denied("leads outside the upstream");
  return url;
}

/** Returns whether a URL, such as the target of a redirect, is the base or below it in every reading. */
export function isBelow(base: URL, url: URL): boolean {
  const below = sliceBelow(base, url);
  return below !== undefined && findEscape(below) === undefined;
}

/**
 * Returns the part of a URL's path below that of the base. It starts with `/` and is encoded as in the URL.
 *
 * @throws {ProxyError} `http_request_denied`: the URL is not below the base.
 */
export function pathBelow(base: URL, url: URL): string {
  const below = sliceBelow(base, url);
  if (below === undefined) throw denied("leads outside the upstream");
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
      '"path" contains a control character or a lone surrogate; percent-encode it in the query, or leave it out',
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
 * Returns a path as it is, and each of its decodings until nothing is left to decode or there are too many.
 *
 * @param normalize Applied to each text before it is decoded further. Default: no change.
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
  // NFKD replaces the same compatibility characters as NFKC, and joins no mark with the "e" of "%2e".
  const toNormal = (text: string): string => text.normalize("NFKD");
  const kept = readingsOf(path, toNormal);
  // Characters that a server drops may stand inside "%2e".
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
  if (text.includes("\\")) return "must not contain a backslash, in any encoding";
  if (CONTROL.test(text)) return "must not contain an encoded control character";
  if (OVERLONG.test(text)) return "must not contain overlong UTF-8";
  if (DOTS.test(text) && text.split(SEPARATORS).some(isDotSegment)) {
    return 'must not contain the segments "." and "..", in any encoding';
  }
  return undefined;
}

function isDotSegment(segment: string): boolean {
  return DOT_SEGMENT.test(segment.replace(SEGMENT_END, "").replace(DROPPED, ""));
}

/** Removes one layer of percent-encoding. Bytes that are not UTF-8 become U+FFFD. */
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
    `"path" or its URL is longer than ${MAX_URL_LENGTH} characters`,
  );
}

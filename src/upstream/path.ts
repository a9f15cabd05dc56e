/**
 * Builds URLs below the base URL of an upstream from paths that clients send. A path that any server on the way
 * could read as one outside the base, in whatever encoding, is refused.
 *
 * @module
 */
import { MAX_URL_LENGTH, ProxyError } from "../protocol/mod.ts";
import { findEscape } from "./path_escape.ts";

const CONTROL = /\p{Cc}/u;
// Without its query. A longer one is taken by hardly any server, and is checked in more than a millisecond.
const MAX_PATH_LENGTH = 16_384;

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
  // Before the path is looked at more closely: the form of Unicode that is checked may be several times as long.
  if (encodedLength(reference.trimEnd()) > MAX_URL_LENGTH) throw tooLong();
  if (encodedLength(raw.trimEnd()) > MAX_PATH_LENGTH) {
    throw tooLong('"path" without its query', MAX_PATH_LENGTH);
  }
  // Checked before parsing, which removes dot segments.
  const reason = findEscape(raw);
  if (reason !== undefined) throw denied(reason);
  const url = URL.parse(base.origin + prefixOf(base) + reference);
  if (url === null) {
    throw new ProxyError("bad_request", '"path" does not form a valid URL; check its characters');
  }
  if (url.href.length > MAX_URL_LENGTH) throw tooLong();
  const below = sliceBelow(base, url);
  // What parsing has encoded is checked in that form too.
  if (below === undefined || below !== raw && findEscape(below) !== undefined) {
    throw denied("leads outside the upstream");
  }
  return url;
}

/** Returns whether a URL, such as the target of a redirect, is the base or below it in every reading. */
export function isBelow(base: URL, url: URL): boolean {
  const below = sliceBelow(base, url);
  if (below === undefined || below.length > MAX_PATH_LENGTH) return false;
  return findEscape(below) === undefined;
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

/** Returns the length of a path with `%hh` for each byte of its characters beyond ASCII, or a length above the limit. */
function encodedLength(path: string): number {
  let length = 0;
  for (let index = 0; index < path.length && length <= MAX_URL_LENGTH; index++) {
    const unit = path.charCodeAt(index);
    if (unit < 0x80) length++;
    else length += unit < 0x800 || isSurrogate(unit) ? 6 : 9;
  }
  return length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xe000;
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

function denied(reason: string): ProxyError {
  return new ProxyError("http_request_denied", `"path" ${reason}`);
}

function tooLong(what = '"path" or its URL', most = MAX_URL_LENGTH): ProxyError {
  return new ProxyError("bad_request", `${what} is longer than ${most} characters`);
}

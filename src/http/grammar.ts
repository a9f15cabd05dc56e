/**
 * The grammar and vocabulary of HTTP that several parts share: tokens, field values, methods, lists and statuses.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import type { HeaderPairs } from "../protocol/mod.ts";
import { isFieldValue, isToken } from "../protocol/grammar.ts";

export { isFieldValue, isToken };

// WHATWG Fetch, "forbidden method".
const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/** The statuses without a body: Fetch, "null body status", less 101, which is refused, and 103, which is interim. */
export const NULL_BODY_STATUS: ReadonlySet<number> = new Set([
  STATUS_CODE.NoContent,
  STATUS_CODE.ResetContent,
  STATUS_CODE.NotModified,
]);

/** The statuses that redirect: Fetch, "redirect status". */
export const REDIRECT_STATUS: ReadonlySet<number> = new Set([
  STATUS_CODE.MovedPermanently,
  STATUS_CODE.Found,
  STATUS_CODE.SeeOther,
  STATUS_CODE.TemporaryRedirect,
  STATUS_CODE.PermanentRedirect,
]);

/** Returns the host of a URL without the brackets that an IPv6 address has there. */
export function withoutBrackets(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

/** Reports whether the host of a URL, without brackets, is an address: the URL parser writes IPv4 as four numbers. */
export function isAddress(hostname: string): boolean {
  return hostname.includes(":") || /^\d+(?:\.\d+){3}$/.test(hostname);
}

/** Reports whether a request can have this method, in upper case: `fetch` refuses some that are valid tokens. */
export function isRequestableMethod(method: string): boolean {
  return isToken(method) && !FORBIDDEN_METHODS.has(method);
}

// At the start or in a list, with any whitespace before: a client of HTTP may remove it.
const CONNECTION_SCHEME = /(?:^|,)[\s,]*(?:ntlm|negotiate)(?![\w-])/i;

/**
 * Reports whether a request authenticates the connection that it is sent over, and with it the requests after it: by NTLM
 * or Negotiate (RFC 4559 §6).
 */
export function hasConnectionAuthentication(headers: HeaderPairs): boolean {
  return headers.some(([name, value]) =>
    name.length === "authorization".length && name.toLowerCase() === "authorization" &&
    CONNECTION_SCHEME.test(value)
  );
}

/** Returns the value of the first field with a name. Both `name` and the names of the fields are in lower case. */
export function findField(headers: HeaderPairs, name: string): string | undefined {
  for (const [each, value] of headers) if (each === name) return value;
  return undefined;
}

/**
 * Returns the name of a field as a server may read it. CGI knows neither case nor a difference between `-` and `_`
 * (RFC 3875 §4.1.18), and some servers replace every other character too: `x_api.key` is `x-api-key` there.
 */
export function toComparableName(name: string): string {
  let hasCapital = false;
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (code >= 0x61 && code <= 0x7a || code === 0x2d || code >= 0x30 && code <= 0x39) continue;
    if (code < 0x41 || code > 0x5a) return name.toLowerCase().replace(/[^a-z\d]/g, "-");
    hasCapital = true;
  }
  return hasCapital ? name.toLowerCase() : name;
}

/**
 * Returns the text between two indexes without the optional whitespace around it: spaces and tabs (RFC 9110 §5.6.3),
 * unlike `trim`, which also removes the byte A0.
 */
export function trimOws(text: string, start = 0, end = text.length): string {
  let from = start;
  let to = end;
  while (from < to && isOws(text.charCodeAt(from))) from++;
  while (from < to && isOws(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

/** Returns the members of a list (RFC 9110 §5.6.1), in which some may be empty. Commas in quotes are not recognized. */
export function splitList(value: string): readonly string[] {
  return value.split(",").map((member) => trimOws(member));
}

function isOws(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

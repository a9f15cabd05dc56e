/**
 * The vocabulary of HTTP, once for every part that reads or writes it: tokens, field values, blanks, fields and statuses.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import type { HeaderPairs } from "../protocol/mod.ts";
import { isFieldValue, isToken } from "../protocol/grammar.ts";

export { isFieldValue, isToken };

// WHATWG Fetch, "forbidden method".
const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/** Statuses whose response has no body: Fetch, "null body status", less 101, which is refused, and 103, an interim one. */
export const NULL_BODY_STATUS: ReadonlySet<number> = new Set([
  STATUS_CODE.NoContent,
  STATUS_CODE.ResetContent,
  STATUS_CODE.NotModified,
]);

/** Statuses that redirect: Fetch, "redirect status". */
export const REDIRECT_STATUS: ReadonlySet<number> = new Set([
  STATUS_CODE.MovedPermanently,
  STATUS_CODE.Found,
  STATUS_CODE.SeeOther,
  STATUS_CODE.TemporaryRedirect,
  STATUS_CODE.PermanentRedirect,
]);

/** Reports whether a method, in upper case, can be requested at all: `fetch` refuses some. */
export function isRequestableMethod(method: string): boolean {
  return isToken(method) && !FORBIDDEN_METHODS.has(method);
}

/** Returns the value of the first field with this name. Both names are in lower case. */
export function findField(headers: HeaderPairs, wanted: string): string | undefined {
  for (const [name, value] of headers) if (name === wanted) return value;
  return undefined;
}

/** Reports whether a character is optional white space (RFC 9110 §5.6.3): a space or a tab. */
export function isOws(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

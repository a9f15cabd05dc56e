/**
 * Determines where the body of an HTTP/1.1 response ends (RFC 9112 §6.3) and which transfer codings it has (§7).
 *
 * @module
 */
import { MAX_CODINGS } from "../coding.ts";
import { headTooLarge, malformed } from "../failures.ts";
import { splitList } from "../grammar.ts";

/** Where a body ends (RFC 9112 §6.3): after a number of bytes, after the last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

/** What the fields of a head say about its body. */
export interface BodyFraming {
  readonly framing: Framing;
  /** The transfer codings in lower case, in the order in which they were applied. */
  readonly codings: readonly string[];
}

/** The transfer codings of a body that has none. */
export const NO_CODINGS: readonly string[] = [];
const CHUNKED = "chunked";
const ONLY_CHUNKED: readonly string[] = [CHUNKED];
const DIGITS = /^\d+$/;

/**
 * Returns the transfer codings of a body.
 *
 * @param transfer The values of `transfer-encoding`, joined by commas.
 * @param minor The minor version of HTTP.
 * @throws {ProxyError} `http_protocol_error` when it is uncertain where the body ends.
 */
export function toCodings(transfer: string, minor: string | undefined): readonly string[] {
  if (transfer === CHUNKED && minor === "1") return ONLY_CHUNKED;
  const named = splitList(transfer.toLowerCase()).filter((coding) => coding !== "");
  // "identity" stands for no coding (RFC 2616 §3.6). HTTP no longer has it, but servers do.
  const codings = named.filter((coding) => coding !== "identity");
  if (codings.length === 0) return NO_CODINGS;
  if (minor === "0") throw malformed("HTTP/1.0 has no transfer-encoding");
  // Servers that name "chunked" twice have applied it once: every client takes it so.
  while (codings.at(-1) === CHUNKED && codings.at(-2) === CHUNKED) codings.pop();
  if (codings.length > MAX_CODINGS) throw headTooLarge(`${MAX_CODINGS} transfer codings`);
  const isLast = codings.indexOf(CHUNKED) === codings.length - 1 && named.at(-1) === CHUNKED;
  if (!isLast && codings.includes(CHUNKED)) throw malformed('"chunked" is not its last coding');
  return codings;
}

/**
 * Returns the framing of a body: the transfer codings decide, and without any the length.
 *
 * @param length The values of `content-length`, joined by commas.
 * @throws {ProxyError} `http_protocol_error` when the length is not valid.
 */
export function toFraming(codings: readonly string[], length: string | undefined): Framing {
  if (codings.length > 0) return codings.at(-1) === CHUNKED ? CHUNKED : "close";
  return length === undefined ? "close" : toLength(length);
}

/** Returns the length that a field or several equal ones declare (RFC 9110 §8.6). */
function toLength(length: string): number {
  if (DIGITS.test(length)) return toSafeInteger(length);
  const [first = "", ...others] = splitList(length);
  if (!DIGITS.test(first)) throw malformed("its content-length is not a number");
  if (others.some((other) => other !== first)) throw malformed("it has several lengths");
  return toSafeInteger(first);
}

function toSafeInteger(digits: string): number {
  const length = Number(digits);
  if (Number.isSafeInteger(length)) return length;
  throw malformed("its content-length is too large");
}

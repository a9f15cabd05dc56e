/**
 * Determines where the body of an HTTP/1.1 response ends (RFC 9112 §6.3) and which transfer codings it has (§7).
 *
 * @module
 */
import { malformed } from "../failures.ts";
import { splitList } from "../grammar.ts";

/** Where a body ends (RFC 9112 §6.3): after a number of bytes, after the last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

/** What the fields of a head say about its body. */
export interface BodyFraming {
  readonly framing: Framing;
  /** The transfer codings beside `chunked`, in lower case and in the order in which they were applied. */
  readonly codings: readonly string[];
}

const NO_CODINGS: readonly string[] = [];
const CHUNKED: BodyFraming = { framing: "chunked", codings: NO_CODINGS };
const CLOSE: BodyFraming = { framing: "close", codings: NO_CODINGS };
const DIGITS = /^\d+$/;
// Each takes a decoder. As many as curl accepts.
const MAX_CODINGS = 5;

/**
 * Returns the framing of a body: the transfer codings decide, and without one the length.
 *
 * @param transfer The values of `transfer-encoding`, joined by commas.
 * @param length The values of `content-length`, joined by commas.
 * @param minor The minor version of HTTP.
 * @throws {ProxyError} `http_protocol_error` when the end of the body cannot be determined for certain.
 */
export function toBodyFraming(
  transfer: string | undefined,
  length: string | undefined,
  minor: string | undefined,
): BodyFraming {
  if (transfer === undefined) return ofLength(length);
  // "identity" means no coding (RFC 2616 §3.6, no longer part of HTTP), and members of a list may be empty.
  const all = splitList(transfer.toLowerCase()).filter((it) => it !== "" && it !== "identity");
  if (all.length === 0) return ofLength(length);
  if (minor === "0") throw malformed("it has a transfer-encoding, which HTTP/1.0 does not have");
  const codings = all.filter((coding) => coding !== "chunked");
  if (codings.length > MAX_CODINGS) {
    throw malformed(`it has more than ${MAX_CODINGS} transfer codings`);
  }
  if (codings.length === all.length) return { framing: "close", codings };
  // Servers that send "chunked" twice have applied it once, and every client reads it so.
  if (all.indexOf("chunked") < codings.length || /(?:^|,)[\t ]*identity[\t ]*$/i.test(transfer)) {
    throw malformed('"chunked" is not the last of its transfer codings');
  }
  return codings.length === 0 ? CHUNKED : { framing: "chunked", codings };
}

function ofLength(length: string | undefined): BodyFraming {
  return length === undefined ? CLOSE : { framing: toLength(length), codings: NO_CODINGS };
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

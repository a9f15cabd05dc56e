/**
 * Transfer codings beside chunks (RFC 9112 §7.2). No request asks for one, but some servers apply it all the same.
 *
 * @module
 */
import { ProxyError } from "../../protocol/mod.ts";
import type { Turns } from "../../turns/turns.ts";
import { type Body, mapErrors } from "../body.ts";
import { decodeCodings, findCoding } from "../coding.ts";
import { mistransferred, undecodable } from "../failures.ts";
import { isToken } from "../grammar.ts";

const MAX_SHOWN_LENGTH = 32;

/**
 * Returns a body without its transfer codings.
 *
 * @param codings In lower case and in the order in which they were applied. A last `chunked` is ignored.
 * @param turns When pieces of the work may be done.
 * @throws {ProxyError} `http_protocol_error` when a coding is not supported; the error names it. Reading the body throws
 * the same when the body is not coded so.
 */
export function decodeTransfer(body: Body, codings: readonly string[], turns: Turns): Body {
  const coded = codings.at(-1) === "chunked" ? codings.slice(0, -1) : codings;
  const known = coded.map((coding) => {
    const found = findCoding(coding);
    if (found === "gzip" || found === "deflate") return found; // the others are no transfer codings
    throw undecodable(nameOf(coding));
  });
  return mapErrors(decodeCodings(body, known, turns), toTransferError);
}

function toTransferError(thrown: unknown): unknown {
  const isMiscoded = thrown instanceof ProxyError && thrown.code === "http_response_content_coding";
  return isMiscoded ? mistransferred({ cause: thrown.cause }) : thrown;
}

/** Returns the name of a coding as far as it can be shown. */
function nameOf(coding: string): string {
  return isToken(coding) && coding.length <= MAX_SHOWN_LENGTH ? coding : "one without a valid name";
}

/**
 * Which header fields go through, in either direction, and why the others do not (RFC 9110 §7.6.1).
 *
 * @module
 */
import { findField } from "../http/grammar.ts";
import type { HeaderPairs } from "../protocol/mod.ts";

// Not sent upstream, beside what `connection` names.
const REQUEST_FIELDS: ReadonlySet<string> = new Set([
  "connection", // hop by hop, RFC 9110 §7.6.1
  "keep-alive", // hop by hop, RFC 9112 §C.2.2
  "te", // hop by hop, RFC 9110 §10.1.4
  "trailer", // says what fetch will not send, RFC 9110 §6.6.2
  "transfer-encoding", // framing is fetch's, RFC 9112 §6.1
  "content-length", // framing is fetch's, RFC 9110 §8.6
  "upgrade", // hop by hop, RFC 9110 §7.8
  "http2-settings", // hop by hop, RFC 7540 §3.2.1
  "expect", // would wait for a 100 that fetch does not hand on, RFC 9110 §10.1.1
  "host", // comes from the URL that was checked, RFC 9110 §7.2
  "forwarded", // a client must not speak for this hop, RFC 7239
  "via", // likewise, RFC 9110 §7.6.3
  "x-real-ip", // likewise, by custom
  "metadata", // opens the metadata service of one cloud
  "metadata-flavor", // of another
]);
const REQUEST_PREFIXES = [
  "proxy-", // meant for this hop, RFC 9110 §11.7
  "x-forwarded-", // a client must not speak for this hop
  "sec-websocket-", // belong to a WebSocket handshake, RFC 6455 §11.3
  "x-aws-ec2-metadata-", // open the metadata service of one cloud
];

// Not sent back, beside what `connection` names.
const RESPONSE_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer", // fetch drops the trailers themselves
  "transfer-encoding",
  "upgrade",
]);

// Describe bytes that fetch has already decoded, but fetch leaves them.
const CODING_FIELDS: ReadonlySet<string> = new Set(["content-encoding", "content-length"]);

// Describe a body that a redirect has taken away (Fetch, "request-body-header name").
const BODY_FIELDS: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-language",
  "content-location",
  "content-type",
]);

// Meant for one origin: what fetch drops on a redirect to another, and keys and tokens, which it leaks.
const ORIGIN_FIELDS: ReadonlySet<string> = new Set(["authorization", "cookie"]);
const SECRET_FIELD =
  /(?:key|token|secret|jwt|auth|authorization|session|password|credentials?|signature)(?:[-_]|$)/;
const PUBLIC_KEYS: ReadonlySet<string> = new Set(["idempotency-key"]);

/** Gives the fields of a client's request that go to the destination. */
export function filterRequestHeaders(headers: HeaderPairs): HeaderPairs {
  if (headers.length === 0) return headers;
  const named = connectionOptions(headers);
  return headers.filter(([name]) => {
    const key = name.toLowerCase();
    return !REQUEST_FIELDS.has(key) && !named.has(key) &&
      !REQUEST_PREFIXES.some((prefix) => key.startsWith(prefix));
  });
}

/**
 * Gives the fields of an upstream's response that go to the client.
 *
 * @param pairs As fetch gives them: in lower case.
 * @param decoded Whether fetch decoded the body.
 */
export function filterResponseHeaders(pairs: HeaderPairs, decoded: boolean): HeaderPairs {
  const named = connectionOptions(pairs);
  // Beside chunks content-length does not count (RFC 9112 §6.3), and of two codings fetch may have taken one.
  const unsized = findField(pairs, "transfer-encoding") !== undefined ||
    findField(pairs, "content-encoding")?.includes(",") === true;
  const isPassed = ([name]: HeaderPairs[number]): boolean =>
    !RESPONSE_FIELDS.has(name) && (named === NONE || !named.has(name)) &&
    !name.startsWith("proxy-") &&
    !(decoded && CODING_FIELDS.has(name)) && !(unsized && name === "content-length");
  return pairs.filter(isPassed);
}

/** Gives the fields that may follow a redirect to another origin. */
export function filterCrossOriginHeaders(headers: HeaderPairs): HeaderPairs {
  return headers.filter(([name]) => {
    const key = name.toLowerCase();
    return !ORIGIN_FIELDS.has(key) && (PUBLIC_KEYS.has(key) || !SECRET_FIELD.test(key));
  });
}

/** Gives the fields that may follow a redirect which takes the body away. */
export function filterBodyHeaders(headers: HeaderPairs): HeaderPairs {
  return headers.filter(([name]) => !BODY_FIELDS.has(name.toLowerCase()));
}

const NONE: ReadonlySet<string> = new Set();

/** The names that `connection` lists: hop by hop too. */
function connectionOptions(headers: HeaderPairs): ReadonlySet<string> {
  let options = NONE;
  for (const [name, value] of headers) {
    if (!isConnection(name)) continue;
    const option = value.toLowerCase();
    if (option === "keep-alive" || option === "close") continue; // no name of a field that would come
    options = new Set([...options, ...option.split(",").map((each) => each.trim())]);
  }
  return options;
}

function isConnection(name: string): boolean {
  return name.length === "connection".length && name.toLowerCase() === "connection";
}

/**
 * Decides which header fields are forwarded, in either direction, and gives the reason why the others are not
 * (RFC 9110 §7.6.1).
 *
 * @module
 */
import { findField, splitList } from "../http/grammar.ts";
import type { HeaderPairs } from "../protocol/mod.ts";

// Not sent to destinations. The same holds for the fields that `connection` names.
const REQUEST_FIELDS: ReadonlySet<string> = new Set([
  "connection", // hop by hop, RFC 9110 §7.6.1
  "keep-alive", // hop by hop, RFC 9112 §C.2.2
  "te", // hop by hop, RFC 9110 §10.1.4
  "trailer", // no trailers are sent, RFC 9110 §6.6.2
  "transfer-encoding", // the HTTP client frames the body, RFC 9112 §6.1
  "content-length", // the HTTP client frames the body, RFC 9110 §8.6
  "upgrade", // hop by hop, RFC 9110 §7.8
  "http2-settings", // hop by hop, RFC 7540 §3.2.1
  "expect", // no client gets the 100 that it asks for, RFC 9110 §10.1.1
  "host", // follows from the URL that was checked, RFC 9110 §7.2
  "forwarded", // a client must not speak for this hop, RFC 7239
  "via", // a client must not speak for this hop, RFC 9110 §7.6.3
  "x-real-ip", // a client must not speak for this hop
  "metadata", // opens the metadata service of Azure
  "metadata-flavor", // opens the metadata service of Google Cloud
]);
const REQUEST_PREFIXES = [
  "proxy-", // meant for this hop, RFC 9110 §11.7
  "x-forwarded-", // a client must not speak for this hop
  "sec-websocket-", // belong to a WebSocket handshake, RFC 6455 §11.3
  "x-aws-ec2-metadata-", // open the metadata service of AWS
];

// Not sent to clients. The same holds for the fields that `connection` names.
const RESPONSE_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer", // the trailers themselves are dropped
  "transfer-encoding",
  "upgrade",
]);

// Describe the coded body, which the client does not get.
const CODING_FIELDS: ReadonlySet<string> = new Set(["content-encoding", "content-length"]);

// Describe a body that a redirect drops (Fetch, "request-body-header name").
const BODY_FIELDS: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-language",
  "content-location",
  "content-type",
]);

// Meant for one origin: the fields that fetch drops on a redirect to another, and keys and tokens, which fetch leaks.
const ORIGIN_FIELDS: ReadonlySet<string> = new Set(["authorization", "cookie"]);
const SECRET_FIELD =
  /(?:key|token|secret|jwt|auth|authorization|session|password|credentials?|signature)(?:[-_]|$)/;
const PUBLIC_KEYS: ReadonlySet<string> = new Set(["idempotency-key"]);

const NONE: ReadonlySet<string> = new Set();

/** Returns the fields of a client's request that are sent to the destination. */
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
 * Returns the fields of a destination's response that are sent to the client.
 *
 * @param headers Names in lower case.
 * @param decoded Whether the body is decoded.
 */
export function filterResponseHeaders(headers: HeaderPairs, decoded: boolean): HeaderPairs {
  const named = connectionOptions(headers);
  // Beside chunks a content-length is not valid (RFC 9112 §6.3), and of two codings fetch may have decoded one.
  const unsized = findField(headers, "transfer-encoding") !== undefined ||
    findField(headers, "content-encoding")?.includes(",") === true;
  const isPassed = ([name]: HeaderPairs[number]): boolean =>
    !RESPONSE_FIELDS.has(name) && (named === NONE || !named.has(name)) &&
    !name.startsWith("proxy-") &&
    !(decoded && CODING_FIELDS.has(name)) && !(unsized && name === "content-length");
  return headers.filter(isPassed);
}

/** Returns the fields that may follow a redirect to another origin. */
export function filterCrossOriginHeaders(headers: HeaderPairs): HeaderPairs {
  return headers.filter(([name]) => {
    const key = name.toLowerCase();
    return !ORIGIN_FIELDS.has(key) && (PUBLIC_KEYS.has(key) || !SECRET_FIELD.test(key));
  });
}

/** Returns the fields that may follow a redirect which drops the body. */
export function filterBodyHeaders(headers: HeaderPairs): HeaderPairs {
  return headers.filter(([name]) => !BODY_FIELDS.has(name.toLowerCase()));
}

/** Returns the names that `connection` lists, in lower case: these fields are hop-by-hop as well. */
function connectionOptions(headers: HeaderPairs): ReadonlySet<string> {
  let options = NONE;
  for (const [name, value] of headers) {
    if (!isConnection(name)) continue;
    const option = value.toLowerCase();
    if (option === "keep-alive" || option === "close") continue; // usual, and no name of another field
    options = new Set([...options, ...splitList(option)]);
  }
  return options;
}

function isConnection(name: string): boolean {
  return name.length === "connection".length && name.toLowerCase() === "connection";
}

/**
 * Decides which header fields are forwarded, in either direction, and gives the reason why the others are not
 * (RFC 9110 §7.6.1).
 *
 * @module
 */
import { findField, splitList, toComparableName } from "../http/grammar.ts";
import type { HeaderPairs } from "../protocol/mod.ts";

// Not sent to destinations, nor are names that a server may take for these. The same holds for the fields that
// `connection` names.
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
  "x-host", // names another host than the one that was checked, like "x-forwarded-host"
  "x-http-host-override", // names another host, too
  "metadata", // opens the metadata service of Azure
  "metadata-flavor", // opens the metadata service of Google Cloud
]);
const REQUEST_PREFIXES = [
  "proxy-", // meant for this hop, RFC 9110 §11.7
  "x-forwarded-", // a client must not speak for this hop
  "sec-websocket-", // belong to a WebSocket handshake, RFC 6455 §11.3
  "x-aws-ec2-metadata-", // open the metadata service of AWS
];
const REQUEST_PREFIX = new RegExp(`^(?:${REQUEST_PREFIXES.join("|")})`);
// Not sent to clients. The same holds for the fields that `connection` names.
const RESPONSE_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer", // the trailers themselves are dropped
  "transfer-encoding",
  "upgrade",
]);

// Name another path than the one that was checked: IIS, Symfony and Zend take it for that of the request.
const PATH_FIELDS: ReadonlySet<string> = new Set([
  "x-original-url",
  "x-original-uri",
  "x-rewrite-url",
  "x-override-url",
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

// Sent to another origin after a redirect. All others may contain keys, tokens or sessions, under any name: an
// application's own fields are meant for the origin that it knows.
const CROSS_ORIGIN_FIELDS: ReadonlySet<string> = new Set([
  // What the client understands and prefers (RFC 9110 §12.5, RFC 7240, RFC 9218).
  "accept",
  "accept-charset",
  "accept-encoding",
  "accept-language",
  "prefer",
  "priority",
  // The body, which is sent along unless the method becomes GET (RFC 9110 §8, RFC 9530).
  "content-digest",
  "content-encoding",
  "content-language",
  "content-location",
  "content-type",
  "repr-digest",
  // Which part or version is wanted (RFC 9110 §13, §14, RFC 9111 §5): without these, the response is another.
  "cache-control",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-event-id", // of the stream that the redirect leads to (HTML §9.2.4)
  "pragma",
  "range",
  // What is sent to every origin alike.
  "dnt",
  "sec-gpc",
  "user-agent",
  "x-requested-with", // usually "XMLHttpRequest"; some servers refuse requests without it
  "idempotency-key", // is chosen for one request; without it, a repeated request would be carried out twice
  "traceparent", // W3C Trace Context; unlike "baggage", it has no data of the application
  "tracestate",
]);

const NONE: ReadonlySet<string> = new Set();

/** Returns the fields of a client's request that are sent to the destination. */
export function filterRequestHeaders(headers: HeaderPairs): HeaderPairs {
  if (headers.length === 0) return headers;
  const named = connectionOptions(headers);
  const isSent = (field: HeaderPairs[number]): boolean => {
    const key = toComparableName(field[0]);
    return !REQUEST_FIELDS.has(key) && (named === NONE || !named.has(key)) &&
      !REQUEST_PREFIX.test(key);
  };
  return headers.every(isSent) ? headers : headers.filter(isSent);
}

/**
 * Returns the fields that are sent to a named upstream, of whose paths the operator has allowed some: without those
 * that name another path.
 */
export function filterUpstreamHeaders(headers: HeaderPairs): HeaderPairs {
  const isSent = ([name]: HeaderPairs[number]): boolean => !PATH_FIELDS.has(toComparableName(name));
  return headers.every(isSent) ? headers : headers.filter(isSent);
}

/** Returns fields, with others instead of those that a server may take for them. */
export function replaceFields(headers: HeaderPairs, others: HeaderPairs): HeaderPairs {
  if (others.length === 0) return headers;
  const names = others.map(([name]) => toComparableName(name));
  return [...headers.filter(([name]) => !names.includes(toComparableName(name))), ...others];
}

/**
 * Returns the fields of a destination's response that are sent to the client.
 *
 * @param headers Names in lower case.
 * @param decoded Whether the body is decoded.
 */
export function filterResponseHeaders(headers: HeaderPairs, decoded: boolean): HeaderPairs {
  const named = connectionOptions(headers);
  // Beside chunks a content-length is not valid (RFC 9112 §6.3).
  const unsized = findField(headers, "transfer-encoding") !== undefined;
  const isPassed = ([name]: HeaderPairs[number]): boolean =>
    !RESPONSE_FIELDS.has(name) && (named === NONE || !named.has(toComparableName(name))) &&
    !name.startsWith("proxy-") &&
    !(decoded && CODING_FIELDS.has(name)) && !(unsized && name === "content-length");
  return headers.filter(isPassed);
}

/** Returns the fields that may follow a redirect to another origin. */
export function filterCrossOriginHeaders(headers: HeaderPairs): HeaderPairs {
  return headers.filter(([name]) => CROSS_ORIGIN_FIELDS.has(name.toLowerCase()));
}

/** Returns the fields that may follow a redirect which drops the body. */
export function filterBodyHeaders(headers: HeaderPairs): HeaderPairs {
  return headers.filter(([name]) => !BODY_FIELDS.has(name.toLowerCase()));
}

/** Returns the names that `connection` lists, comparable: these fields are hop-by-hop as well. */
function connectionOptions(headers: HeaderPairs): ReadonlySet<string> {
  let options = NONE;
  for (const [name, value] of headers) {
    if (!isConnection(name)) continue;
    const option = value.toLowerCase();
    if (option === "keep-alive" || option === "close") continue; // usual, and no name of another field
    options = new Set([...options, ...splitList(option).map(toComparableName)]);
  }
  return options;
}

function isConnection(name: string): boolean {
  return name.length === "connection".length && name.toLowerCase() === "connection";
}

/**
 * Writes the head of an HTTP/1.1 request (RFC 9112 §3) as Deno's `fetch` does, except that names keep their spelling.
 *
 * @module
 */
import { type HeaderPairs, MAX_URL_LENGTH } from "../../protocol/mod.ts";
import { unsendable } from "../failures.ts";
import { isFieldValue, isToken } from "../grammar.ts";

/** The parts of a request that its head depends on. */
export interface RequestHead {
  readonly method: string;
  readonly url: URL;
  /** Without hop-by-hop fields, `host` and `content-length`. */
  readonly headers: HeaderPairs;
  /** The length of the body in bytes; `chunked` when it is unknown, `undefined` when there is no body. */
  readonly length: number | "chunked" | undefined;
}

// RFC 3986 §3.2.2. A host with any other character that the URL parser accepts cannot be looked up.
const HOST = /^[\w\-.~%!$&'()*+,;=:[\]]+$/;
const MAX_NAME_LENGTH = 65_535;

const METHODS_WITH_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

// The fields that a request gets unless it has them (Fetch, "HTTP-network-or-cache fetch"); without the coding "br".
const AGENT = `user-agent: Deno/${Deno.version.deno}\r\n`;
const DEFAULTS = `accept: */*\r\naccept-language: *\r\n${AGENT}accept-encoding: gzip\r\n`;

/**
 * Returns the text of a head, one character per byte.
 *
 * @throws {ProxyError} `bad_request` when the request cannot be written as HTTP.
 */
export function encodeRequestHead({ method, url, headers, length }: RequestHead): string {
  const { host } = url;
  const target = toTarget(url);
  if (!isToken(method) || !HOST.test(host) || target.length > MAX_URL_LENGTH) throw unsendable();
  const start = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\n${toLengthField(method, length)}`;
  return headers.length === 0
    ? `${start}${DEFAULTS}\r\n`
    : `${start}${encodeFields(headers)}${encodeDefaults(headers)}\r\n`;
}

/** Returns the origin-form (RFC 9112 §3.2.1). `search` does not distinguish an empty query from none. */
function toTarget({ href, protocol }: URL): string {
  const start = href.indexOf("/", protocol.length + 2);
  const end = href.indexOf("#", start);
  return end < 0 ? href.slice(start) : href.slice(start, end);
}

function toLengthField(method: string, length: RequestHead["length"]): string {
  if (length === "chunked") return "transfer-encoding: chunked\r\n";
  if (length !== undefined) return `content-length: ${length}\r\n`;
  return METHODS_WITH_BODY.has(method) ? "content-length: 0\r\n" : "";
}

function encodeFields(headers: HeaderPairs): string {
  let text = "";
  for (const [name, given] of headers) {
    if (name.length > MAX_NAME_LENGTH || !isToken(name)) throw unsendable();
    const value = isFieldValue(given) ? given : normalize(given);
    text += `${name}: ${value}\r\n`;
  }
  return text;
}

/** Removes whitespace and line ends around a value (Fetch, "normalize"), such as the line end of a file. */
function normalize(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isWhitespace(text.charCodeAt(start))) start++;
  while (start < end && isWhitespace(text.charCodeAt(end - 1))) end--;
  const value = text.slice(start, end);
  if (isFieldValue(value)) return value;
  throw unsendable();
}

/** Fetch, "HTTP whitespace". */
function isWhitespace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

function encodeDefaults(headers: HeaderPairs): string {
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  const unless = (name: string, field: string): string => names.has(name) ? "" : field;
  // A part of a coded body cannot be decoded.
  const coding = names.has("range") ? "identity" : "gzip";
  return unless("accept", "accept: */*\r\n") + unless("accept-language", "accept-language: *\r\n") +
    unless("user-agent", AGENT) + unless("accept-encoding", `accept-encoding: ${coding}\r\n`);
}

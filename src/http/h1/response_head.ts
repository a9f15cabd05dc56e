/**
 * Parses the head of an HTTP/1.1 response (RFC 9112 §2 to §6).
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { HeaderPairs } from "../../protocol/mod.ts";
import { headTooLarge, malformed, notHttp } from "../failures.ts";
import { isToken, splitList, trimOws } from "../grammar.ts";
import { CR, DELETE, LF, SPACE, TAB } from "./ascii.ts";
import { type BodyFraming, NO_CODINGS, toCodings, toFraming } from "./framing.ts";

/** The head of a response. */
export interface Http1Head extends BodyFraming {
  readonly status: number;
  /** The reason phrase as received. */
  readonly statusText: string;
  /** In the order received; names in lower case. */
  readonly headers: HeaderPairs;
  /** Whether the server lets the connection be used again, unless the body ends with it. */
  readonly keepAlive: boolean;
  /** For how many seconds the server keeps the idle connection; `undefined` when it does not say so. */
  readonly keepAliveSeconds: number | undefined;
}

/** The largest head: as much as Chromium accepts. */
export const MAX_HEAD_BYTES = 262_144;
// Bounds what a head of the shortest fields takes. Chromium and Node have no such limit, Deno's `fetch` accepts 100.
const MAX_FIELDS = 10_000;

const VERSION = new TextEncoder().encode("HTTP/1.");
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;
// Idle seconds of `keep-alive: timeout=5, max=100`.
const TIMEOUT = /(?:^|[\t ,;])timeout[\t ]*=[\t ]*"?(\d{1,9})/i;
const FRAMING_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "transfer-encoding",
]);
// Field names are remembered in lower case. Servers use few; a hostile server must not fill memory with them.
const MAX_NAMES = 1000;
const MAX_KNOWN_LENGTH = 64;

/**
 * Returns the index after the empty line that ends a head, or -1 if that has not arrived. Lines may end without a
 * carriage return (RFC 9112 §2.2).
 *
 * @param from Where to begin the search.
 */
export function findHeadEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end - 1; at++) {
    if (bytes[at] !== LF) continue;
    if (bytes[at + 1] === LF) return at + 2;
    if (at + 2 < end && bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

/** Returns the index after the empty lines before a head: servers may send some (RFC 9112 §2.2 allows it to clients). */
export function skipEmptyLines(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    if (bytes[at] === LF) at++;
    else if (bytes[at] === CR && at + 1 < end && bytes[at + 1] === LF) at += 2;
    else break;
  }
  return at;
}

/** Reports whether a head of HTTP/1, or an empty line before it, can begin with these bytes. */
export function isHeadPossible(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] === CR && end - start === 1) return true;
  const length = Math.min(VERSION.length, end - start);
  for (let at = 0; at < length; at++) if (bytes[start + at] !== VERSION[at]) return false;
  return true;
}

/**
 * Parses a complete head.
 *
 * @throws {ProxyError} `http_protocol_error` when the bytes are not the head of an HTTP/1 response.
 */
export type ParseHead = (bytes: Buffer, start: number, end: number) => Http1Head;

/** Creates a {@linkcode ParseHead} that remembers field names. */
export function createParseHead(): ParseHead {
  const names = new Map<string, string>();

  function toName(text: string): string {
    const known = names.get(text);
    if (known !== undefined) return known;
    if (text.length === 0) throw malformed("a header field has no name");
    const token = trimOws(text); // a proxy removes whitespace before the colon (RFC 9112 §5.1)
    const name = token.toLowerCase();
    const isDoubtful = token !== text && FRAMING_FIELDS.has(name); // not every recipient has removed it
    if (!isToken(token) || isDoubtful) throw malformed("the name of a header field is not valid");
    if (text.length > MAX_KNOWN_LENGTH) return name;
    if (names.size >= MAX_NAMES) names.clear();
    names.set(detach(text), detach(name));
    return name;
  }

  return function parseHead(bytes, start, end): Http1Head {
    const received = bytes.toString("latin1", start, end);
    const text = checkBytes(bytes, start, end) ? unfold(received) : received;
    let at = text.indexOf("\n") + 1;
    const [, minor, status, statusText = ""] = STATUS_LINE.exec(lineOf(text, 0, at)) ?? [];
    if (status === undefined) {
      throw text.startsWith("HTTP/1.") ? malformed("its status line is not valid") : notHttp();
    }
    const headers: [string, string][] = [];
    let length: string | undefined;
    let transfer: string | undefined;
    let connection: string | undefined;
    let keepAlive: string | undefined;
    for (let next = text.indexOf("\n", at) + 1; next > 0; next = text.indexOf("\n", at) + 1) {
      const lineEnd = text.charCodeAt(next - 2) === CR ? next - 2 : next - 1;
      if (lineEnd === at) break;
      const colon = text.indexOf(":", at);
      if (colon < 0 || colon > lineEnd) throw malformed("a header field has no colon");
      if (headers.length >= MAX_FIELDS) throw headTooLarge(`${MAX_FIELDS} header fields`);
      const name = toName(text.slice(at, colon));
      const value = trimOws(text, colon + 1, lineEnd);
      at = next;
      headers.push([name, value]);
      if (name === "content-length") length = join(length, value);
      else if (name === "transfer-encoding") transfer = join(transfer, value);
      else if (name === "connection") connection = join(connection, value);
      else if (name === "keep-alive") keepAlive = join(keepAlive, value);
    }
    const codings = transfer === undefined ? NO_CODINGS : toCodings(transfer, minor);
    return {
      status: Number(status),
      statusText,
      headers,
      framing: toFraming(codings, length),
      codings,
      // A length as well as chunks may be an attempt to smuggle a response (RFC 9112 §6.3).
      keepAlive: isKept(connection, minor) && (transfer === undefined || length === undefined),
      keepAliveSeconds: keepAlive === undefined ? undefined : toSeconds(keepAlive),
    };
  };
}

/**
 * Reports whether a head has a line that begins with whitespace. A regular expression takes four times as long.
 *
 * @throws {ProxyError} `http_protocol_error` when the head has a control character other than the tab, or a carriage
 * return that no line feed follows (RFC 9110 §5.5).
 */
function checkBytes(bytes: Uint8Array, start: number, end: number): boolean {
  let isFolded = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= SPACE && byte !== DELETE || byte === TAB) continue;
    if (byte === LF) {
      const next = bytes[at + 1];
      if ((next === SPACE || next === TAB) && at + 1 < end) isFolded = true;
    } else if (byte !== CR || bytes[at + 1] !== LF) {
      throw malformed("its head has a control character");
    }
  }
  return isFolded;
}

/** Returns a head with its folded fields each on one line, as a user agent has to read them (RFC 9112 §5.2). */
function unfold(text: string): string {
  const lines: string[] = [];
  let unfolded = "";
  let isField = false;
  for (let at = 0, next = text.indexOf("\n") + 1; next > 0; next = text.indexOf("\n", at) + 1) {
    const line = lineOf(text, at, next);
    const isContinuation = line.startsWith(" ") || line.startsWith("\t");
    if (isContinuation && !isField) throw malformed("a line of its head begins with whitespace");
    if (isContinuation) unfolded += ` ${trimOws(line)}`;
    else {
      if (at > 0) lines.push(unfolded);
      isField = at > 0 && line.includes(":");
      unfolded = line;
    }
    at = next;
  }
  return `${lines.join("\n")}\n${unfolded}\n`;
}

/** Returns the line before `next` without its line end. */
function lineOf(text: string, start: number, next: number): string {
  return text.slice(start, text.charCodeAt(next - 2) === CR ? next - 2 : next - 1);
}

/** Returns a copy of a text. A part of the head would keep the whole head in memory. */
function detach(text: string): string {
  return [...text].join("");
}

function join(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`;
}

/** Reports whether the connection persists (RFC 9112 §9.3). */
function isKept(connection: string | undefined, minor: string | undefined): boolean {
  if (connection === undefined) return minor === "1";
  if (connection === "keep-alive") return true; // the usual spelling
  const options = splitList(connection.toLowerCase());
  return !options.includes("close") && (minor === "1" || options.includes("keep-alive"));
}

function toSeconds(keepAlive: string): number | undefined {
  const seconds = TIMEOUT.exec(keepAlive)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

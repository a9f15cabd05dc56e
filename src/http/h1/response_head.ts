/**
 * Parses the head of an HTTP/1.1 response (RFC 9112 §2 to §6), and determines how its body is framed.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { HeaderPairs } from "../../protocol/mod.ts";
import { notHttp } from "../failures.ts";
import { isToken, splitList, trimOws } from "../grammar.ts";
import { CR, DELETE, LF, SPACE, TAB } from "./ascii.ts";

/** Where a body ends (RFC 9112 §6.3): after a number of bytes, after the last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

/** The head of a response. */
export interface Http1Head {
  readonly status: number;
  /** The reason phrase as received. */
  readonly statusText: string;
  /** In the order received; names in lower case. */
  readonly headers: HeaderPairs;
  readonly framing: Framing;
  /** Whether the server lets the connection be used again, unless the body ends with it. */
  readonly keepAlive: boolean;
  /** For how many seconds the server keeps the idle connection; `undefined` when it does not say so. */
  readonly keepAliveSeconds: number | undefined;
}

/** The largest head: as much as Deno's `fetch` accepts, like the number of fields. */
export const MAX_HEAD_BYTES = 262_144;
const MAX_FIELDS = 100;

const VERSION = new TextEncoder().encode("HTTP/1.");
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;
const DIGITS = /^\d{1,16}$/;
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

/** Reports whether a head of HTTP/1 can begin with these bytes. */
export function isHeadPossible(bytes: Uint8Array, start: number, end: number): boolean {
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
    if (!isToken(text)) throw notHttp();
    const name = text.toLowerCase();
    if (text.length > MAX_KNOWN_LENGTH) return name;
    if (names.size >= MAX_NAMES) names.clear();
    names.set(detach(text), detach(name));
    return name;
  }

  return function parseHead(bytes, start, end): Http1Head {
    if (hasControl(bytes, start, end)) throw notHttp();
    const text = bytes.toString("latin1", start, end);
    let at = text.indexOf("\n") + 1;
    const [, minor, status, statusText = ""] = STATUS_LINE.exec(lineOf(text, 0, at)) ?? [];
    if (status === undefined) throw notHttp();
    const headers: [string, string][] = [];
    let length: string | undefined;
    let transfer: string | undefined;
    let connection: string | undefined;
    let keepAlive: string | undefined;
    for (let next = text.indexOf("\n", at) + 1; next > 0; next = text.indexOf("\n", at) + 1) {
      const line = lineOf(text, at, next);
      at = next;
      if (line === "") break;
      const colon = line.indexOf(":");
      if (colon < 1 || headers.length >= MAX_FIELDS) throw notHttp();
      const name = toName(line.slice(0, colon));
      const value = trimOws(line, colon + 1);
      headers.push([name, value]);
      if (name === "content-length") length = join(length, value);
      else if (name === "transfer-encoding") transfer = join(transfer, value);
      else if (name === "connection") connection = join(connection, value);
      else if (name === "keep-alive") keepAlive = value;
    }
    // HTTP/1.0 has no chunks, so the framing is likely to be faulty (RFC 9112 §6.1).
    if (transfer !== undefined && minor === "0") throw notHttp();
    return {
      status: Number(status),
      statusText,
      headers,
      framing: toFraming(transfer, length),
      // A length as well as chunks may be an attempt to smuggle a response (RFC 9112 §6.3).
      keepAlive: isKept(connection, minor) && (transfer === undefined || length === undefined),
      keepAliveSeconds: keepAlive === undefined ? undefined : toSeconds(keepAlive),
    };
  };
}

/**
 * Reports whether a head has a control character other than the tab, or a carriage return that no line feed follows. A
 * regular expression takes four times as long.
 */
function hasControl(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= SPACE && byte !== DELETE || byte === LF || byte === TAB) continue;
    if (byte !== CR || bytes[at + 1] !== LF) return true;
  }
  return false;
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

/** RFC 9112 §6.3: the transfer coding decides; without one, the length, which may be repeated. */
function toFraming(transfer: string | undefined, length: string | undefined): Framing {
  if (transfer !== undefined) {
    if (transfer.toLowerCase() === "chunked") return "chunked";
    throw notHttp(); // the request allows no other coding
  }
  if (length === undefined) return "close";
  if (DIGITS.test(length)) return toLength(length);
  const [first = "", ...others] = splitList(length);
  if (!DIGITS.test(first) || others.some((other) => other !== first)) throw notHttp();
  return toLength(first);
}

function toLength(digits: string): number {
  const length = Number(digits);
  if (Number.isSafeInteger(length)) return length;
  throw notHttp();
}

/** Reports whether the connection persists (RFC 9112 §9.3). */
function isKept(connection: string | undefined, minor: string | undefined): boolean {
  if (connection === undefined) return minor === "1";
  if (connection === "keep-alive") return true; // the usual spelling
  const options = splitList(connection.toLowerCase());
  return !options.includes("close") && (minor === "1" || options.includes("keep-alive"));
}

function toSeconds(keepAlive: string): number | undefined {
  const seconds = /(?:^|[\s,;])timeout\s*=\s*"?(\d{1,9})/i.exec(keepAlive)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

/**
 * The head of an HTTP/1.1 response (RFC 9112 §2 to §6): from bytes to fields, and how long the body is.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { HeaderPairs } from "../../protocol/mod.ts";
import { notHttp } from "../failures.ts";
import { isOws, isToken } from "../grammar.ts";
import { CR, DELETE, LF, SPACE, TAB } from "./ascii.ts";

/** Where a body ends (RFC 9112 §6.3): behind so many bytes, by its chunks, or with the connection. */
export type Framing = number | "chunked" | "close";

/** What a head says. */
export interface Http1Head {
  readonly status: number;
  /** The reason phrase, as it came. */
  readonly statusText: string;
  /** In order; names in lower case. */
  readonly headers: HeaderPairs;
  readonly framing: Framing;
  /** The server lets the connection be used again, where the body does not end with it. */
  readonly keepAlive: boolean;
  /** What the server says of how long it keeps the connection, in seconds. */
  readonly keepAliveSeconds: number | undefined;
}

/** As much as Deno's `fetch` takes: bytes of a head, and fields. */
export const MAX_HEAD_BYTES = 262_144;
const MAX_FIELDS = 100;

const VERSION = new TextEncoder().encode("HTTP/1.");
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;
const DIGITS = /^\d{1,16}$/;
// Names that are remembered in lower case; servers use few, and a hostile one must not fill memory with them.
const MAX_NAMES = 1000;
const MAX_KNOWN_LENGTH = 64;

/**
 * Finds where a head ends: behind its empty line. Lines may end without a carriage return (RFC 9112 §2.2).
 *
 * @param from Where to begin; what came before has been looked at.
 * @returns -1: it is not complete.
 */
export function findHeadEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end - 1; at++) {
    if (bytes[at] !== LF) continue;
    if (bytes[at + 1] === LF) return at + 2;
    if (at + 2 < end && bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

/** Says whether these bytes may be how a head of HTTP/1 begins. */
export function isHeadPossible(bytes: Uint8Array, start: number, end: number): boolean {
  const length = Math.min(VERSION.length, end - start);
  for (let at = 0; at < length; at++) if (bytes[start + at] !== VERSION[at]) return false;
  return true;
}

/** Parses the bytes of a whole head. */
export type ParseHead = (bytes: Buffer, start: number, end: number) => Http1Head;

/**
 * Creates a {@linkcode ParseHead}, which throws `http_protocol_error` at what is no head of an HTTP/1
 * response.
 */
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
      const value = trimBlank(line, colon + 1);
      headers.push([name, value]);
      if (name === "content-length") length = join(length, value);
      else if (name === "transfer-encoding") transfer = join(transfer, value);
      else if (name === "connection") connection = join(connection, value);
      else if (name === "keep-alive") keepAlive = value;
    }
    // Before HTTP/1.1 there were no chunks, and nobody knows what was meant (RFC 9112 §6.1).
    if (transfer !== undefined && minor === "0") throw notHttp();
    return {
      status: Number(status),
      statusText,
      headers,
      framing: toFraming(transfer, length),
      // A length beside chunks may be an attempt to smuggle a response (RFC 9112 §6.3).
      keepAlive: isKept(connection, minor) && (transfer === undefined || length === undefined),
      keepAliveSeconds: keepAlive === undefined ? undefined : toSeconds(keepAlive),
    };
  };
}

/**
 * A head holds no control character but the tab, and a carriage return stands before a line feed only. A RegExp
 * takes four times as long to say so.
 */
function hasControl(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= SPACE && byte !== DELETE || byte === LF || byte === TAB) continue;
    if (byte !== CR || bytes[at + 1] !== LF) return true;
  }
  return false;
}

/** A line without its end. */
function lineOf(text: string, start: number, next: number): string {
  return text.slice(start, text.charCodeAt(next - 2) === CR ? next - 2 : next - 1);
}

/** The same text, without the head that it is a part of and would keep alive. */
function detach(text: string): string {
  return [...text].join("");
}

/** A value without the blanks around it (RFC 9110 §5.5). */
function trimBlank(line: string, start: number): string {
  let [from, to] = [start, line.length];
  while (from < to && isOws(line.charCodeAt(from))) from++;
  while (from < to && isOws(line.charCodeAt(to - 1))) to--;
  return line.slice(from, to);
}

function join(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`;
}

/** RFC 9112 §6.3: the last transfer coding decides, else the length, which may be repeated. */
function toFraming(transfer: string | undefined, length: string | undefined): Framing {
  if (transfer !== undefined) {
    if (transfer.toLowerCase() === "chunked") return "chunked";
    throw notHttp(); // no other coding was asked for
  }
  if (length === undefined) return "close";
  if (DIGITS.test(length)) return toLength(length);
  const [first = "", ...others] = length.split(",").map((each) => each.trim());
  if (!DIGITS.test(first) || others.some((other) => other !== first)) throw notHttp();
  return toLength(first);
}

function toLength(digits: string): number {
  const length = Number(digits);
  if (Number.isSafeInteger(length)) return length;
  throw notHttp();
}

/** RFC 9112 §9.3. */
function isKept(connection: string | undefined, minor: string | undefined): boolean {
  if (connection === undefined) return minor === "1";
  if (connection === "keep-alive") return true; // as most say it
  const options = connection.toLowerCase().split(",").map((option) => option.trim());
  return !options.includes("close") && (minor === "1" || options.includes("keep-alive"));
}

function toSeconds(keepAlive: string): number | undefined {
  const seconds = /(?:^|[\s,;])timeout\s*=\s*"?(\d{1,9})/i.exec(keepAlive)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

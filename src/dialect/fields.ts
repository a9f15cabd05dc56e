/**
 * Checks header fields and query parameters by hand: they are all a frame has that can be long, and a
 * check that stops at the first fault costs no more than reading them.
 *
 * @module
 */
import type { HeaderPairs, QueryValue } from "../protocol/mod.ts";
import { isObject } from "./dialect.ts";

/** Header fields as a frame may have them. */
export type HeadersField = HeaderPairs | Readonly<Record<string, string>>;

/** Query parameters as a frame may have them. */
export type QueryField = Readonly<Record<string, QueryValue | readonly QueryValue[]>>;

/** What is wrong, and where inside the value: `must be a string`, at `["x-a"]`. */
export interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

// Deno's HTTP client ends the process at some 24,600 field names; servers take far fewer.
const MAX_FIELDS = 1000;
// The HTTP client takes no name beyond 65,535 bytes; no method or field name is nearly as long.
const MAX_TOKEN_LENGTH = 1024;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// deno-lint-ignore no-control-regex -- the tab is the one control character allowed
const FIELD_VALUE = /^[\x09\x20-\x7e\x80-\xff]*$/;

/** Says what is wrong with a token (RFC 9110 §5.6.2): the form of a method and of a field name. */
export function describeToken(value: unknown): string | undefined {
  if (typeof value !== "string") return "must be a string";
  if (value.length > MAX_TOKEN_LENGTH) return `must be at most ${MAX_TOKEN_LENGTH} characters`;
  return TOKEN.test(value)
    ? undefined
    : "must be an HTTP token: letters, digits and !#$%&'*+-.^_`|~";
}

/** Finds what is wrong with header fields, pairs or an object (RFC 9110 §5). */
export function findHeadersFault(value: unknown): Fault | undefined {
  if (Array.isArray(value)) {
    return findFirst(value, (pair, index) => findPairFault(pair, index));
  }
  if (!isObject(value)) {
    return { path: [], message: "must be an object of strings or a list of [name, value] pairs" };
  }
  return findFirst(Object.entries(value), ([name, text]) => findFieldFault(name, text, [name]));
}

/** Finds what is wrong with query parameters. */
export function findQueryFault(value: unknown): Fault | undefined {
  if (!isObject(value)) return { path: [], message: "must be an object" };
  let count = 0;
  return findFirst(Object.entries(value), ([name, item]) => {
    count += Array.isArray(item) ? item.length : 1;
    if (count > MAX_FIELDS) return tooMany([]);
    if (!Array.isArray(item)) return findValueFault(item, [name]);
    return findFirst(item, (each, index) => findValueFault(each, [name, index]));
  });
}

/** Says whether a value is query parameters: {@linkcode findQueryFault} finds nothing. */
export function isQueryField(value: unknown): value is QueryField {
  return findQueryFault(value) === undefined;
}

function findFirst<Item>(
  items: readonly Item[],
  find: (item: Item, index: number) => Fault | undefined,
): Fault | undefined {
  if (items.length > MAX_FIELDS) return tooMany([]);
  for (const [index, item] of items.entries()) {
    const fault = find(item, index);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function tooMany(path: Fault["path"]): Fault {
  return { path, message: `must have at most ${MAX_FIELDS} entries` };
}

function findPairFault(pair: unknown, index: number): Fault | undefined {
  if (!Array.isArray(pair) || pair.length !== 2) {
    return { path: [index], message: "must be a [name, value] pair" };
  }
  const [name, text] = pair;
  const wrongName = describeToken(name);
  if (wrongName !== undefined) return { path: [index, 0], message: wrongName };
  return findFieldFault(name, text, [index, 1]);
}

function findFieldFault(name: string, value: unknown, path: Fault["path"]): Fault | undefined {
  const message = describeToken(name) ?? describeFieldValue(value);
  return message === undefined ? undefined : { path, message };
}

/** A field value (RFC 9110 §5.5): one byte a character, no CR, LF, NUL or other control character. */
function describeFieldValue(value: unknown): string | undefined {
  if (typeof value !== "string") return "must be a string";
  return FIELD_VALUE.test(value)
    ? undefined
    : "must hold no control characters and none beyond U+00FF";
}

function findValueFault(value: unknown, path: Fault["path"]): Fault | undefined {
  if (typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value !== "number") {
    return { path, message: "must be a string, a number, a boolean or a list of these" };
  }
  if (!Number.isFinite(value) || Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return { path, message: "is not exact as a number; send it as a string" };
  }
  return undefined;
}

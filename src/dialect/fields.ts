/**
 * The header fields and query parameters of a frame. Only these members can be long, so that their checks
 * stop at the first fault.
 *
 * @module
 */
import { FIELD_VALUE, isFieldValue, isToken, TOKEN } from "../protocol/grammar.ts";
import type { HeaderFields, Query } from "../protocol/mod.ts";
import { isObject } from "./dialect.ts";
import {
  customValue,
  type Fault,
  type JsonSchema,
  toFault,
  type ValueCheck,
} from "./value_check.ts";

// Deno's HTTP client ends the process at about 24,600 field names; servers accept far fewer.
const MAX_FIELDS = 1000;
// The HTTP client accepts no name above 65,535 bytes; no real method or field name is nearly as long.
const MAX_NAME_LENGTH = 1024;

const MIN_EXACT = Number.MIN_SAFE_INTEGER;
const MAX_EXACT = Number.MAX_SAFE_INTEGER;

const NAME_SCHEMA: JsonSchema = {
  type: "string",
  maxLength: MAX_NAME_LENGTH,
  pattern: TOKEN.source,
};
const FIELD_SCHEMA: JsonSchema = { type: "string", pattern: FIELD_VALUE.source };
const PARAMETER_SCHEMA: JsonSchema = {
  type: ["string", "number", "boolean"],
  minimum: MIN_EXACT,
  maximum: MAX_EXACT,
};

const NOT_A_STRING = toFault("must be a string");
const NAME_TOO_LONG = toFault(`must be at most ${MAX_NAME_LENGTH} characters`);
const NOT_A_TOKEN = toFault("must be an HTTP token: letters, digits and !#$%&'*+-.^_`|~");
const NOT_A_FIELD_VALUE = toFault("must not contain control characters or characters above U+00FF");
const NOT_FIELDS = toFault("must be an object of strings or a list of [name, value] pairs");
const NOT_A_PAIR = toFault("must be a [name, value] pair");
const NOT_AN_OBJECT = toFault("must be an object");
const TOO_MANY = toFault(`must have at most ${MAX_FIELDS} entries`);
const NOT_A_PARAMETER = toFault("must be a string, a number, a boolean or a list of these");
const NOT_EXACT = toFault("cannot be represented exactly as a number; send it as a string");

/** An HTTP method. */
export const methodCheck: ValueCheck<string> = customValue(findNameFault, NAME_SCHEMA);

/** Header fields (RFC 9110 §5), as pairs or as an object. */
export const headersCheck: ValueCheck<HeaderFields> = customValue(findFieldsFault, {
  anyOf: [
    {
      type: "array",
      maxItems: MAX_FIELDS,
      items: { type: "array", prefixItems: [NAME_SCHEMA, FIELD_SCHEMA], minItems: 2, maxItems: 2 },
    },
    {
      type: "object",
      maxProperties: MAX_FIELDS,
      propertyNames: NAME_SCHEMA,
      additionalProperties: FIELD_SCHEMA,
    },
  ],
});

/** Query parameters. The limit for their number includes every item of a list, which JSON Schema cannot say. */
export const queryCheck: ValueCheck<Query> = customValue(findQueryFault, {
  type: "object",
  maxProperties: MAX_FIELDS,
  additionalProperties: {
    anyOf: [PARAMETER_SCHEMA, { type: "array", maxItems: MAX_FIELDS, items: PARAMETER_SCHEMA }],
  },
});

function findFieldsFault(value: unknown): Fault | undefined {
  if (Array.isArray(value)) return findFirst(value, findPairFault);
  if (!isObject(value)) return NOT_FIELDS;
  return findFirst(
    Object.keys(value),
    (name) => at(name, findNameFault(name) ?? findValueFault(value[name])),
  );
}

function findQueryFault(value: unknown): Fault | undefined {
  if (!isObject(value)) return NOT_AN_OBJECT;
  let items = 0;
  return findFirst(Object.keys(value), (name) => {
    const parameter = value[name];
    items += Array.isArray(parameter) ? parameter.length : 1;
    if (items > MAX_FIELDS) return TOO_MANY;
    if (!Array.isArray(parameter)) return at(name, findParameterFault(parameter));
    return at(name, findFirst(parameter, (item, index) => at(index, findParameterFault(item))));
  });
}

function findFirst<Item>(
  items: readonly Item[],
  find: (item: Item, index: number) => Fault | undefined,
): Fault | undefined {
  if (items.length > MAX_FIELDS) return TOO_MANY;
  let index = 0;
  for (const item of items) {
    const found = find(item, index++);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Moves a fault of an entry to the place of the entry. */
function at(key: string | number, found: Fault | undefined): Fault | undefined {
  return found && { ...found, path: [key, ...found.path] };
}

function findPairFault(pair: unknown, index: number): Fault | undefined {
  if (!Array.isArray(pair) || pair.length !== 2) return at(index, NOT_A_PAIR);
  return at(index, at(0, findNameFault(pair[0])) ?? at(1, findValueFault(pair[1])));
}

function findNameFault(value: unknown): Fault | undefined {
  if (typeof value !== "string") return NOT_A_STRING;
  if (value.length > MAX_NAME_LENGTH) return NAME_TOO_LONG;
  return isToken(value) ? undefined : NOT_A_TOKEN;
}

function findValueFault(value: unknown): Fault | undefined {
  if (typeof value !== "string") return NOT_A_STRING;
  return isFieldValue(value) ? undefined : NOT_A_FIELD_VALUE;
}

function findParameterFault(value: unknown): Fault | undefined {
  if (typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value !== "number") return NOT_A_PARAMETER;
  return value >= MIN_EXACT && value <= MAX_EXACT ? undefined : NOT_EXACT;
}

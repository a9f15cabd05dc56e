/**
 * A validator for the part of JSON Schema (draft 2020-12) that the schemas of frames use.
 */
import type { JsonSchema } from "../../src/dialect/value_check.ts";

/** Validates a value for one keyword; `schema` is the schema that has the keyword. */
type Validate = (expected: unknown, value: unknown, schema: JsonSchema) => boolean;

const isArray = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const isObject = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !isArray(value);
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  array: isArray,
  object: isObject,
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === "boolean",
};

const KEYWORDS: Readonly<Record<string, Validate>> = {
  $schema: () => true,
  description: () => true,
  default: () => true,
  contentEncoding: () => true,
  type: (expected, value) => [expected].flat().some((type) => TYPES[String(type)]?.(value)),
  const: same,
  enum: (expected, value) => list(expected).some((item) => same(item, value)),
  minimum: (expected, value) => typeof value !== "number" || value >= Number(expected),
  maximum: (expected, value) => typeof value !== "number" || value <= Number(expected),
  maxLength: (expected, value) =>
    typeof value !== "string" || [...value].length <= Number(expected),
  pattern: (expected, value) =>
    typeof value !== "string" || new RegExp(`${expected}`, "u").test(value),
  minItems: (expected, value) => !isArray(value) || value.length >= Number(expected),
  maxItems: (expected, value) => !isArray(value) || value.length <= Number(expected),
  prefixItems: (expected, value) =>
    !isArray(value) ||
    list(expected).every((part, at) => at >= value.length || validates(part, value[at])),
  items: (expected, value, { prefixItems = [] }) =>
    !isArray(value) ||
    value.slice(list(prefixItems).length).every((item) => validates(expected, item)),
  maxProperties: (expected, value) =>
    !isObject(value) || Object.keys(value).length <= Number(expected),
  required: (expected, value) =>
    !isObject(value) || list(expected).every((name) => Object.hasOwn(value, String(name))),
  properties: (expected, value) =>
    !isObject(value) ||
    Object.entries(expected ?? {}).every(([name, part]) =>
      !Object.hasOwn(value, name) || validates(part, value[name])
    ),
  propertyNames: (expected, value) =>
    !isObject(value) || Object.keys(value).every((name) => validates(expected, name)),
  additionalProperties: (expected, value, { properties = {} }) =>
    !isObject(value) ||
    Object.entries(value).every(([name, item]) =>
      Object.hasOwn(Object(properties), name) || validates(expected, item)
    ),
  dependentSchemas: (expected, value) =>
    !isObject(value) ||
    Object.entries(expected ?? {}).every(([name, part]) =>
      !Object.hasOwn(value, name) || validates(part, value)
    ),
  allOf: (expected, value) => list(expected).every((part) => validates(part, value)),
  anyOf: (expected, value) => list(expected).some((part) => validates(part, value)),
  oneOf: (expected, value) => list(expected).filter((part) => validates(part, value)).length === 1,
};

/**
 * Reports whether a value is valid.
 *
 * @throws {TypeError} The schema has a keyword that is not known here.
 */
export function validates(schema: unknown, value: unknown): boolean {
  if (typeof schema === "boolean") return schema;
  if (!isObject(schema)) throw new TypeError(`Not a schema: ${JSON.stringify(schema)}`);
  return Object.entries(schema).every(([keyword, expected]) => {
    const validate = KEYWORDS[keyword];
    if (validate === undefined) throw new TypeError(`Unknown keyword: ${keyword}`);
    return validate(expected, value, schema);
  });
}

function list(value: unknown): readonly unknown[] {
  if (isArray(value)) return value;
  throw new TypeError(`Not a list: ${JSON.stringify(value)}`);
}

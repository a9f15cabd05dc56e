/**
 * The header fields by which some servers let a client replace the method of a request.
 *
 * @module
 */
import type { HeaderPairs } from "../protocol/mod.ts";
import { toComparableName, trimOws } from "./grammar.ts";

const METHOD_FIELDS: readonly string[] = [
  "x-http-method-override", // Rails, Express, Symfony, Google's APIs
  "x-http-method", // OData, SharePoint
  "x-method-override",
];
const MIN_LENGTH = "x-http-method".length;

const NONE: readonly string[] = [];

/**
 * Returns the methods, in upper case, that a server may use instead of the method of the request. A request may be made
 * only if all of them are allowed. Parameters of a query or form, such as `_method`, are not read.
 */
export function overridingMethods(headers: HeaderPairs): readonly string[] {
  let methods = NONE;
  for (const [name, value] of headers) {
    // Most names are told apart by their length or their first letter.
    if (name.length < MIN_LENGTH || (name[0] !== "x" && name[0] !== "X")) continue;
    if (!METHOD_FIELDS.includes(toComparableName(name))) continue;
    const method = trimOws(value).toUpperCase();
    if (method !== "") methods = [...methods, method];
  }
  return methods;
}

/**
 * The values that the spans of exchanges and of their requests share.
 *
 * @module
 */
import type { Attributes } from "@opentelemetry/api";

// OpenTelemetry semantic conventions, "http.request.method".
const METHODS: ReadonlySet<string> = new Set([
  ..."CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split(" "),
]);

/** Returns the name of a span for a request with this method. */
export function toSpanName(method: string): string {
  return METHODS.has(method) ? method : "HTTP";
}

/** Returns the attributes for the method of a request, which may be empty when there is none. */
export function toMethodAttributes(method: string): Attributes {
  const isKnown = METHODS.has(method);
  return {
    "http.request.method": isKnown ? method : "_OTHER",
    ...(!isKnown && method !== "" && { "http.request.method_original": method }),
  };
}

/** Returns a bigint, typed as a number for the API: Deno exports a bigint as an integer and every number as a double. */
export function toInteger(value: number): number {
  return (Number.isSafeInteger(value) ? BigInt(value) : value) as number;
}

/**
 * Takes the frames that are plainly right, without building anything; what it does not take goes to the
 * schema, which says what is wrong with it, if anything is.
 *
 * @module
 */
import { MAX_ID, type RequestFrame } from "../protocol/mod.ts";
import { describeToken, findHeadersFault, findQueryFault } from "./fields.ts";
import type { PlainFrame } from "./schema.ts";

/** Says whether an object is a request frame. It is one for the schema exactly when it is one here. */
export function isRequestFrame(
  value: Readonly<Record<string, unknown>>,
): value is Readonly<Record<string, unknown>> & RequestFrame {
  let bodies = 0;
  for (const name in value) {
    const field = value[name];
    if (!isFieldRight(name, field)) return false;
    if (name === "json" || name === "text" || name === "base64" || name === "bodyFollows") bodies++;
  }
  return bodies <= 1 && value.type === "request" && value.id !== undefined &&
    (value.windowBytes === undefined || value.stream === true) &&
    (value.url === undefined
      ? value.upstream !== undefined && value.path !== undefined
      : value.upstream === undefined && value.path === undefined);
}

/** Says whether an object is a frame of the plain dialect, as {@linkcode isRequestFrame} does. */
export function isPlainFrame(
  value: Readonly<Record<string, unknown>>,
): value is Readonly<Record<string, unknown>> & PlainFrame {
  for (const name in value) if (!isPlainFieldRight(name, value[name])) return false;
  return value.url !== undefined && value.method !== undefined;
}

function isPlainFieldRight(name: string, field: unknown): boolean {
  switch (name) {
    case "url":
      return typeof field === "string";
    case "method":
      return describeToken(field) === undefined;
    case "data":
      return true;
    case "headers":
      return findHeadersFault(field) === undefined;
    case "id":
      return typeof field === "string" || typeof field === "number";
    default:
      return false;
  }
}

function isFieldRight(name: string, field: unknown): boolean {
  switch (name) {
    case "type":
      return field === "request";
    case "id":
      return Number.isInteger(field) && isFrom(field, 1) && isUpTo(field, MAX_ID);
    case "url":
    case "upstream":
    case "path":
    case "text":
    case "base64":
      return typeof field === "string";
    case "json":
      return true;
    case "method":
      return describeToken(field) === undefined;
    case "headers":
      return findHeadersFault(field) === undefined;
    case "query":
      return findQueryFault(field) === undefined;
    case "bodyFollows":
      return field === true;
    case "timeoutMs":
      return Number.isSafeInteger(field) && isFrom(field, 1);
    case "windowBytes":
      return Number.isSafeInteger(field) && isFrom(field, 0);
    case "redirect":
      return field === "follow" || field === "manual" || field === "error";
    case "stream":
      return typeof field === "boolean" || field === "events" || field === "lines";
    default:
      return false;
  }
}

function isFrom(value: unknown, min: number): boolean {
  return typeof value === "number" && value >= min;
}

function isUpTo(value: unknown, max: number): boolean {
  return typeof value === "number" && value <= max;
}

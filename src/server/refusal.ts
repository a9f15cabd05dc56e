/**
 * Refusals of HTTP requests, as JSON.
 *
 * @module
 */
import { HTTP_ERRORS, type HttpErrorCode } from "../protocol/mod.ts";

const OVERLOADED_RETRY_AFTER_MS = 5000;

/** Why a request is refused. */
export interface Refusal {
  readonly code: HttpErrorCode;
  /** What is wrong and what the client can do. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The refusal of everything that would start new work while the service drains. */
export const DRAINING: Refusal = {
  code: "draining",
  message: "The service is shutting down; try again later, or another instance",
};

/** The refusal of new connections while the service is short of memory. */
export const OVERLOADED: Refusal = {
  code: "overloaded",
  message: "The service is short of memory; try again later, or another instance",
  headers: toRetryAfter(OVERLOADED_RETRY_AFTER_MS),
};

/** Reports whether a decision is a refusal. */
export function isRefusal(decision: object): decision is Refusal {
  return "code" in decision;
}

/** Returns the response `{ "error": { "code", "message" } }`, with the status of the code. */
export function toRefusalResponse(
  { code, message, headers }: Refusal,
  moreHeaders: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ error: { code, message } }, {
    status: HTTP_ERRORS[code],
    headers: { ...moreHeaders, ...headers },
  });
}

/** Returns a `retry-after` field in whole seconds (RFC 9110 §10.2.3), at least 1. */
export function toRetryAfter(ms: number): Readonly<Record<string, string>> {
  return { "retry-after": String(Math.max(1, Math.ceil(ms / 1000))) };
}

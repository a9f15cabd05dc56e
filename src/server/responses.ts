/**
 * Responses over plain HTTP: refusals as JSON.
 *
 * @module
 */
import { HTTP_ERRORS, type HttpErrorCode } from "../protocol/mod.ts";

/** Why a request is refused. */
export interface Refusal {
  readonly code: HttpErrorCode;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Gives the refusal `{ "error": { "code", "message" } }` with the status that belongs to the code. */
export function refuse(code: HttpErrorCode, message: string, headers: HeadersInit = {}): Response {
  return Response.json({ error: { code, message } }, { status: HTTP_ERRORS[code], headers });
}

/**
 * Responses over plain HTTP: refusals as JSON.
 *
 * @module
 */
import { HTTP_ERRORS, type HttpErrorCode } from "../protocol/mod.ts";

/** Gives the refusal `{ "error": { "code", "message" } }` with the status that belongs to the code. */
export function refuse(code: HttpErrorCode, message: string, headers: HeadersInit = {}): Response {
  return Response.json({ error: { code, message } }, { status: HTTP_ERRORS[code], headers });
}

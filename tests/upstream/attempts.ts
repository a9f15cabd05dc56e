/**
 * Responses of fetch as the responses of attempts.
 *
 * @module
 */
import type { AttemptResponse } from "../../src/upstream/attempt.ts";

/** The response of an attempt that fetch made. */
export interface FetchedAttempt extends AttemptResponse {
  readonly response: Response;
}

/** Returns a response of fetch as the response of an attempt. */
export function toAttempt(response: Response): FetchedAttempt {
  return {
    status: response.status,
    headers: [...response.headers],
    body: { discard: () => void response.body?.cancel().catch(() => {}) }, // it may have broken off
    response,
  };
}

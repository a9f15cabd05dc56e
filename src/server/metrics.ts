/**
 * Serves the metrics to clients that may connect.
 *
 * @module
 */
import type { Authenticator } from "../auth/authenticator.ts";
import { authenticate } from "./authenticate.ts";
import { isRefusal, toRefusalResponse } from "./refusal.ts";
import type { Handler } from "./router.ts";

/** The metrics of the service as text. */
export interface MetricsText {
  /** Returns the current metrics. */
  readonly render: () => Promise<string>;
  /** The media type of the text. */
  readonly contentType: string;
}

/**
 * Creates the handler of `GET /metrics`.
 *
 * @param authenticator `undefined` if clients need no credential.
 */
export function createMetricsHandler(
  { render, contentType }: MetricsText,
  authenticator: Authenticator | undefined,
): Handler {
  return async function handle({ headers }): Promise<Response> {
    const identity = await authenticate(headers, authenticator);
    if (identity !== undefined && isRefusal(identity)) return toRefusalResponse(identity);
    return new Response(await render(), {
      headers: {
        "cache-control": "no-store",
        "content-type": contentType,
        "x-content-type-options": "nosniff",
      },
    });
  };
}

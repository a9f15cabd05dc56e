/**
 * The metrics over HTTP, for those who may connect.
 *
 * @module
 */
import type { Metrics } from "../telemetry/metrics.ts";
import type { Authenticate } from "./admission.ts";
import { refuse } from "./responses.ts";
import type { Handler } from "./router.ts";

/** Creates the handler of `GET /metrics`. */
export function createMetricsHandler(
  metrics: Pick<Metrics, "render" | "contentType">,
  { authenticate }: { readonly authenticate: Authenticate },
): Handler {
  return async function answer({ headers }): Promise<Response> {
    const identity = await authenticate(headers);
    if (identity !== undefined && "code" in identity) {
      return refuse(identity.code, identity.message, identity.headers);
    }
    return new Response(await metrics.render(), {
      headers: {
        "cache-control": "no-store",
        "content-type": metrics.contentType,
        "x-content-type-options": "nosniff",
      },
    });
  };
}

/**
 * Requests of health checks.
 *
 * @module
 */
import type { UpstreamRoute } from "../http/transport.ts";
import type { HeaderPairs } from "../protocol/mod.ts";

const HEALTH_CHECK = { method: "GET", body: null, redirect: "manual" } as const;

/** Makes a request and returns its response. */
type MakeRequest = (
  request: typeof HEALTH_CHECK & { readonly url: URL; readonly headers: HeaderPairs },
  options: {
    /** Returns the header fields of the request, and how to connect. */
    readonly check: () => { readonly headers: HeaderPairs; readonly upstream: UpstreamRoute };
    readonly signal: AbortSignal;
  },
) => Promise<{
  readonly head: { readonly status: number };
  readonly body: { discard(): void } | null;
}>;

/** Creates a function that makes a GET request and returns the status of its response. It follows no redirect. */
export function createGetStatus(
  makeRequest: MakeRequest,
): (
  url: URL,
  upstream: { readonly headers: HeaderPairs; readonly route: UpstreamRoute },
  signal: AbortSignal,
) => Promise<number> {
  return async function getStatus(url, { headers, route }, signal): Promise<number> {
    const request = { ...HEALTH_CHECK, url, headers: [] };
    const check = (): { headers: HeaderPairs; upstream: UpstreamRoute } => ({
      headers,
      upstream: route,
    });
    const { head, body } = await makeRequest(request, { check, signal });
    body?.discard(); // the body may never end
    return head.status;
  };
}

/**
 * Requests of health checks.
 *
 * @module
 */
import type { HeaderPairs } from "../protocol/mod.ts";

const HEALTH_CHECK = { method: "GET", body: null, redirect: "manual" } as const;

/** Makes a request and returns its response. */
type MakeRequest = (
  request: typeof HEALTH_CHECK & { readonly url: URL; readonly headers: HeaderPairs },
  options: {
    /** Returns the header fields of the request. */
    readonly check: () => { readonly headers: HeaderPairs };
    readonly signal: AbortSignal;
  },
) => Promise<{
  readonly head: { readonly status: number };
  readonly body: { discard(): void } | null;
}>;

/** Creates a function that makes a GET request and returns the status of its response. It follows no redirect. */
export function createGetStatus(
  makeRequest: MakeRequest,
): (url: URL, headers: HeaderPairs, signal: AbortSignal) => Promise<number> {
  return async function getStatus(url, headers, signal): Promise<number> {
    const request = { ...HEALTH_CHECK, url, headers: [] };
    const { head, body } = await makeRequest(request, { check: () => ({ headers }), signal });
    body?.discard(); // the body may never end
    return head.status;
  };
}

/**
 * Chooses the transport of each request.
 *
 * @module
 */
import type { FindProxy } from "./proxies.ts";
import type { Transport } from "./transport.ts";

/** The transports to choose from. */
export interface Transports {
  /** HTTP/1.1 over the service's own connections; `undefined` when every request is made with `fetch`. */
  readonly direct: Transport | undefined;
  /** Reports whether `direct` should make no requests to `https:` URLs for now. Absent: it always may. */
  readonly isOverloaded?: (() => boolean) | undefined;
  /** The platform's `fetch`. */
  readonly viaFetch: Transport;
  /** `undefined` when there are no proxies. */
  readonly findProxy?: FindProxy | undefined;
}

/**
 * Returns a transport that makes requests directly, except those that only `fetch` can make: through a proxy, or to a named
 * upstream that asks for `fetch`; and those to `https:` URLs while direct connections are overloaded.
 */
export function chooseTransport(
  { direct, viaFetch, isOverloaded, findProxy }: Transports,
): Transport {
  if (direct === undefined) return viaFetch;
  return (request, signal) => {
    const isDirect = request.route?.client !== "fetch" &&
      findProxy?.(request.url) === undefined &&
      !(request.url.protocol === "https:" && isOverloaded?.() === true);
    return isDirect ? direct(request, signal) : viaFetch(request, signal);
  };
}

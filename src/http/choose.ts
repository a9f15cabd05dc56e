/**
 * Chooses the transport of each request.
 *
 * @module
 */
import { asksForBrotli } from "./coding.ts";
import type { FindProxy } from "./proxies.ts";
import type { Transport } from "./transport.ts";

/** The transports to choose from. */
export interface Transports {
  /** HTTP/1.1 over the service's own connections; `undefined` when every request is made with `fetch`. */
  readonly direct: Transport | undefined;
  /** The platform's `fetch`. */
  readonly viaFetch: Transport;
  /** `undefined` when there are no proxies. */
  readonly findProxy?: FindProxy | undefined;
}

/**
 * Returns a transport that makes requests directly, except those that only `fetch` can make: through a proxy, or to a named
 * upstream that asks for `fetch`.
 */
export function chooseTransport({ direct, viaFetch, findProxy }: Transports): Transport {
  if (direct === undefined) return viaFetch;
  return (request, signal) => {
    const isDirect = request.route?.client !== "fetch" &&
      request.url.protocol === "http:" && // until the direct transport supports TLS
      !asksForBrotli(request.headers) && // only fetch decodes it
      findProxy?.(request.url) === undefined;
    return isDirect ? direct(request, signal) : viaFetch(request, signal);
  };
}

/**
 * Decides which web pages may open a connection: those of the service's own origin, and those of listed origins.
 * A page of another origin must not use the service through its visitor's browser.
 *
 * @module
 */

const LOOPBACK_HOST = /^(?:127\.[\d.]+|\[?::1\]?|localhost)$/i;
// An address, or a name that DNS servers do not resolve.
const LOCAL_HOST = /^(?:\[.*\]|[\d.]+|(?:.*\.)?localhost)$/;

/** Returns whether the page that the `Origin` of a handshake names may open a connection. */
export type OriginCheck = (request: Request) => boolean;

/**
 * Creates an {@linkcode OriginCheck}. A request without `Origin` is not sent by a page and is allowed. A page of the
 * host that the request is sent to is allowed too. On the loopback interface, that host must be an address or
 * `localhost`: any other name may have been rebound to the service (DNS rebinding).
 *
 * @param options `allowedOrigins` are origins (`https://app.example.com`), origins of all subdomains
 * (`https://*.example.com`), or `*` for all pages; `listenHost` is the address or name that the service listens on.
 */
export function createOriginCheck(
  { allowedOrigins, listenHost }: {
    readonly allowedOrigins: readonly string[];
    readonly listenHost: string;
  },
): OriginCheck {
  const hasName = !isLoopbackHost(listenHost);
  return function isOriginAllowed({ headers }: Request): boolean {
    const origin = headers.get("origin");
    if (origin === null) return true;
    const own = URL.parse(origin);
    if (own !== null && isSameHost(own, headers.get("host"))) {
      if (hasName || LOCAL_HOST.test(own.hostname)) return true;
    }
    return allowedOrigins.some((allowed) => matchesOrigin(allowed, origin));
  };
}

/** Returns whether only this machine can connect to a service that listens on a host. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK_HOST.test(host);
}

/** Ignores the scheme: behind a proxy that terminates TLS, the service does not know its own. */
function isSameHost(origin: URL, host: string | null): boolean {
  return host !== null && URL.parse(`${origin.protocol}//${host}/`)?.host === origin.host;
}

function matchesOrigin(allowed: string, origin: string): boolean {
  if (allowed === "*" || allowed === origin) return true;
  const [scheme, suffix] = allowed.split("*");
  return suffix !== undefined && scheme !== undefined && origin.startsWith(scheme) &&
    origin.endsWith(suffix) && origin.length > allowed.length - 1;
}

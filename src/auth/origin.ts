/**
 * Which web pages may open a connection: those of the service's own origin and those it lists. A page
 * elsewhere must not use a visitor's proxy.
 *
 * @module
 */

const LOOPBACK_HOST = /^(?:127\.[\d.]+|\[?::1\]?|localhost)$/i;
// An address, or a name that no DNS server answers for.
const LOCAL_HOST = /^(?:\[.*\]|[\d.]+|(?:.*\.)?localhost)$/;

/** Says whether a handshake may come from the page that its `Origin` names. */
export type OriginCheck = (request: Request) => boolean;

/** What an origin check goes by. */
export interface OriginOptions {
  /**
   * Origins (`https://app.example.com`), origins of all subdomains (`https://*.example.com`), or `*` for
   * every page.
   */
  readonly allowedOrigins: readonly string[];
  /** The address or name that the service listens on. */
  readonly listenHost: string;
}

/**
 * Creates an {@linkcode OriginCheck}. A request without `Origin` does not come from a page and is
 * admitted; so is one from the host that the request was sent to. A service on the loopback interface has
 * no name but `localhost`: a page whose own name was rebound to it is foreign.
 */
export function createOriginCheck({ allowedOrigins, listenHost }: OriginOptions): OriginCheck {
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

/** Says whether only this machine can connect to a service that listens there. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK_HOST.test(host);
}

/** The scheme is left out: behind a proxy that ends TLS the service does not know its own. */
function isSameHost(origin: URL, host: string | null): boolean {
  return host !== null && URL.parse(`${origin.protocol}//${host}/`)?.host === origin.host;
}

function matchesOrigin(allowed: string, origin: string): boolean {
  if (allowed === "*" || allowed === origin) return true;
  const [scheme, suffix] = allowed.split("*");
  return suffix !== undefined && scheme !== undefined && origin.startsWith(scheme) &&
    origin.endsWith(suffix) && origin.length > allowed.length - 1;
}

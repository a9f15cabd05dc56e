/**
 * Which web pages may open a connection: those of the service's own origin and those it lists. A page
 * elsewhere must not use a visitor's proxy.
 *
 * @module
 */

/** Says whether a handshake may come from the page that its `Origin` names. */
export type OriginCheck = (request: Request) => boolean;

/**
 * Creates an {@linkcode OriginCheck}. A request without `Origin` does not come from a page and is
 * admitted; so is one from the host that the request was sent to.
 *
 * @param allowedOrigins Origins (`https://app.example.com`), origins of all subdomains
 * (`https://*.example.com`), or `*` for every page.
 */
export function createOriginCheck(allowedOrigins: readonly string[]): OriginCheck {
  return function isOriginAllowed({ headers }: Request): boolean {
    const origin = headers.get("origin");
    if (origin === null) return true;
    if (isSameOrigin(origin, headers.get("host"))) return true;
    return allowedOrigins.some((allowed) => matchesOrigin(allowed, origin));
  };
}

/** The scheme is left out: behind a proxy that ends TLS the service does not know its own. */
function isSameOrigin(origin: string, host: string | null): boolean {
  return host !== null && URL.parse(origin)?.host === host.toLowerCase();
}

function matchesOrigin(allowed: string, origin: string): boolean {
  if (allowed === "*" || allowed === origin) return true;
  const [scheme, suffix] = allowed.split("*");
  return suffix !== undefined && scheme !== undefined && origin.startsWith(scheme) &&
    origin.endsWith(suffix) && origin.length > allowed.length - 1;
}

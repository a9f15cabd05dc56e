/**
 * The service's HTTP side: a handful of routes, each answer with headers that keep a browser safe.
 *
 * @module
 */
import type { AssetHandler } from "./assets.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { refuse } from "./responses.ts";

/** Answers a request. */
export type Handler = (
  request: Request,
  info: Deno.ServeHandlerInfo,
) => Response | Promise<Response>;

/** What the routes answer with. */
export interface RouterDeps {
  /** Answers `/ws`. */
  readonly upgrade: Handler;
  /** The page at `/`. */
  readonly page: string;
  /** Answer the modules of the client, by path. */
  readonly assets: Readonly<Record<string, AssetHandler>>;
  readonly isDraining: () => boolean;
  readonly telemetry: Telemetry;
}

const SAFE_HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

const PAGE_HEADERS = {
  "cache-control": "no-cache",
  "content-type": "text/html; charset=utf-8",
  // The page has a style element and nothing else; a script on it could not be ours.
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

/** Creates the handler of every request. */
export function createRouter(
  { upgrade, page, assets, isDraining, telemetry }: RouterDeps,
): Handler {
  const routes: Readonly<Record<string, Handler>> = {
    "/": () => new Response(page, { headers: PAGE_HEADERS }),
    "/ws": upgrade,
    "/healthz": () => Response.json({ status: "alive" }, { headers: SAFE_HEADERS }),
    "/readyz": () =>
      isDraining()
        ? refuse("draining", "The service is going away", SAFE_HEADERS)
        : Response.json({ status: "ready" }, { headers: SAFE_HEADERS }),
  };

  function findRoute(pathname: string): Handler | undefined {
    if (Object.hasOwn(routes, pathname)) return routes[pathname];
    return Object.hasOwn(assets, pathname) ? assets[pathname] : undefined;
  }

  function answer(
    request: Request,
    info: Deno.ServeHandlerInfo,
  ): Response | Promise<Response> {
    const { method } = request;
    const url = URL.parse(request.url);
    if (url === null) return refuse("bad_request", "The Host header and the path make no URL");
    const route = findRoute(url.pathname);
    if (route === undefined) {
      return refuse("not_found", `Nothing is here; try ${Object.keys(routes).join(", ")}`);
    }
    if (method === "GET" || method === "HEAD" && route !== upgrade) return route(request, info);
    const allow = route === upgrade ? "GET" : "GET, HEAD";
    return refuse("method_not_allowed", `Only ${allow} is supported here`, { allow });
  }

  return async function handle(request: Request, info: Deno.ServeHandlerInfo): Promise<Response> {
    try {
      return await answer(request, info);
    } catch (error) {
      telemetry.failed({ error });
      return refuse("internal_error", "The service failed; its log says why");
    }
  };
}

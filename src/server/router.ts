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
  /** Answer the modules of the client and, where there is one, the console, by path. */
  readonly assets: Readonly<Record<string, AssetHandler>>;
  /** Answers the console when it asks why a handshake failed; absent: there is no console. */
  readonly checkHandshake?: Handler | undefined;
  /** Answers `/metrics`; absent: nothing is counted. */
  readonly metrics?: Handler | undefined;
  readonly isDraining: () => boolean;
  readonly telemetry: Telemetry;
}

const SAFE_HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

const CHECK_PATH = "/console/handshake";

/** Creates the handler of every request. */
export function createRouter(
  { upgrade, assets, checkHandshake, metrics, isDraining, telemetry }: RouterDeps,
): Handler {
  const routes: Readonly<Record<string, Handler>> = {
    "/ws": upgrade,
    "/healthz": () => Response.json({ status: "alive" }, { headers: SAFE_HEADERS }),
    "/readyz": () =>
      isDraining()
        ? refuse("draining", "The service is going away", SAFE_HEADERS)
        : Response.json({ status: "ready" }, { headers: SAFE_HEADERS }),
    ...(metrics !== undefined && { "/metrics": metrics }),
    ...(checkHandshake !== undefined && { [CHECK_PATH]: checkHandshake }),
  };
  const places = [...(Object.hasOwn(assets, "/") ? ["/"] : []), "/ws", "/healthz", "/readyz"];

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
      return refuse("not_found", `Nothing is here; try ${places.join(", ")}`);
    }
    const methods = methodsOf(route);
    if (methods.includes(method)) return route(request, info);
    const allow = methods.join(", ");
    return refuse("method_not_allowed", `Only ${allow} is supported here`, { allow });
  }

  function methodsOf(route: Handler): readonly string[] {
    if (route === upgrade) return ["GET"];
    return route === checkHandshake ? ["POST"] : ["GET", "HEAD"];
  }

  return async function handle(request: Request, info: Deno.ServeHandlerInfo): Promise<Response> {
    try {
      return await answer(request, info);
    } catch (error) {
      telemetry.emit({ type: "failed", error });
      return refuse("internal_error", "The service failed; its log says why");
    }
  };
}

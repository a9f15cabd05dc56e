/**
 * Routes HTTP requests by their path and method.
 *
 * @module
 */
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { AssetHandler } from "./assets.ts";
import { DRAINING, OVERLOADED, toRefusalResponse } from "./refusal.ts";

/** Responds to a request. */
export type Handler = (
  request: Request,
  info: Deno.ServeHandlerInfo,
) => Response | Promise<Response>;

/** The handlers of the service's paths. */
export interface Routes {
  /** Of `/ws`. */
  readonly upgrade: Handler;
  /** Of the modules of the client and of the console, by path. */
  readonly assets: Readonly<Record<string, AssetHandler>>;
  /** Of the console's question why a handshake failed. Absent: the service serves no console. */
  readonly checkHandshake?: Handler | undefined;
  /** Of `/metrics`. Absent: the service collects no metrics. */
  readonly metrics?: Handler | undefined;
  /** Decides whether `/readyz` reports the service ready. */
  readonly isDraining: () => boolean;
  /** Decides that too: whether the service is short of memory. */
  readonly isOverloaded: () => boolean;
}

const SAFE_HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

const CHECK_PATH = "/console/handshake";

/** Creates the handler of all requests. It reports every error that a route throws, and responds with 500. */
export function createRouter(routes: Routes, telemetry: Telemetry): Handler {
  const { upgrade, assets, checkHandshake, metrics, isDraining, isOverloaded } = routes;

  function reportReadiness(): Response {
    if (isDraining()) return toRefusalResponse(DRAINING, SAFE_HEADERS);
    if (isOverloaded()) return toRefusalResponse(OVERLOADED, SAFE_HEADERS);
    return Response.json({ status: "ready" }, { headers: SAFE_HEADERS });
  }

  const handlers: Readonly<Record<string, Handler>> = {
    "/ws": upgrade,
    "/healthz": () => Response.json({ status: "alive" }, { headers: SAFE_HEADERS }),
    "/readyz": reportReadiness,
    ...(metrics !== undefined && { "/metrics": metrics }),
    ...(checkHandshake !== undefined && { [CHECK_PATH]: checkHandshake }),
  };
  const examples = [...(Object.hasOwn(assets, "/") ? ["/"] : []), "/ws", "/healthz", "/readyz"];

  function findHandler(pathname: string): Handler | undefined {
    if (Object.hasOwn(handlers, pathname)) return handlers[pathname];
    return Object.hasOwn(assets, pathname) ? assets[pathname] : undefined;
  }

  function methodsOf(handler: Handler): readonly string[] {
    if (handler === upgrade) return ["GET"];
    return handler === checkHandshake ? ["POST"] : ["GET", "HEAD"];
  }

  function route(request: Request, info: Deno.ServeHandlerInfo): Response | Promise<Response> {
    const url = URL.parse(request.url);
    if (url === null) {
      const message = "The Host header and the path do not form a URL";
      return toRefusalResponse({ code: "bad_request", message });
    }
    const handler = findHandler(url.pathname);
    if (handler === undefined) {
      const message = `This path does not exist; try ${examples.join(", ")}`;
      return toRefusalResponse({ code: "not_found", message });
    }
    const methods = methodsOf(handler);
    if (methods.includes(request.method)) return handler(request, info);
    const allow = methods.join(", ");
    const message = `This path supports only ${allow}`;
    return toRefusalResponse({ code: "method_not_allowed", message, headers: { allow } });
  }

  return async function handle(request, info): Promise<Response> {
    try {
      return await route(request, info);
    } catch (error) {
      telemetry.emit({ type: "failed", error });
      const message = "The service failed; the error is in its log";
      return toRefusalResponse({ code: "internal_error", message });
    }
  };
}

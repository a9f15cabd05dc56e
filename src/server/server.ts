/**
 * The HTTP side of the service: its routes, and the gate that WebSocket handshakes pass.
 *
 * @module
 */
import { createClientAddress } from "../auth/client_address.ts";
import { createOriginCheck } from "../auth/origin.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { Limiter } from "../limits/limiter.ts";
import type { MemoryBudget } from "../limits/memory_budget.ts";
import type { ConnectionPlaces } from "../limits/connection_places.ts";
import { createAssets } from "./assets.ts";
import type { ClientSocketDeps } from "./client_socket.ts";
import { type ConsoleParts, createConsoleAssets } from "./console_assets.ts";
import { createGate } from "./gate.ts";
import { createHandshakeCheck } from "./handshake_check.ts";
import { createMetricsHandler, type MetricsText } from "./metrics.ts";
import { createRouter, type Handler } from "./router.ts";
import { createUpgrade } from "./upgrade.ts";

/** Which clients may connect, and what is served to browsers. */
export interface ServerOptions {
  /** Origins whose pages may connect, in addition to the service's own; `*` for every page. */
  readonly allowedOrigins: readonly string[];
  /** The address or name that the service listens on. */
  readonly listenHost: string;
  /** How many proxies in front of the service add the address of their client to `X-Forwarded-For`. */
  readonly trustProxy: number;
  /** Whether authentication may wait for another server. */
  readonly authenticationMayWait: boolean;
  /** The client's TypeScript by its path below `src`. */
  readonly clientSources: Readonly<Record<string, string>>;
  /** `undefined` if the service serves no console. */
  readonly consoleParts: ConsoleParts | undefined;
}

/** The parts of the service that requests need. */
export interface ServerDeps extends ClientSocketDeps {
  /** `undefined` if clients need no credential. */
  readonly authenticator: Authenticator | undefined;
  readonly limiter: Limiter;
  readonly places: ConnectionPlaces;
  readonly memory: MemoryBudget;
  /** `undefined` if the service collects no metrics. */
  readonly metrics: MetricsText | undefined;
}

/** Creates the handler of all requests to the service. */
export function createServerHandler(options: ServerOptions, deps: ServerDeps): Handler {
  const { allowedOrigins, listenHost, trustProxy, clientSources, consoleParts } = options;
  const { authenticator, metrics, isDraining, memory, telemetry } = deps;
  const gate = createGate({
    ...deps,
    isOriginAllowed: createOriginCheck({ allowedOrigins, listenHost }),
    toClientAddress: createClientAddress({ trustProxy }),
  });
  return createRouter({
    upgrade: createUpgrade(gate, deps, { mayWait: options.authenticationMayWait }),
    assets: {
      ...createAssets(clientSources),
      ...(consoleParts !== undefined && createConsoleAssets(consoleParts, clientSources)),
    },
    checkHandshake: consoleParts === undefined ? undefined : createHandshakeCheck(gate),
    metrics: metrics && createMetricsHandler(metrics, authenticator),
    isDraining,
    isOverloaded: () => memory.isOverloaded,
  }, telemetry);
}

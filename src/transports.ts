/**
 * Creates the transports of the service, and the choice between them.
 *
 * @module
 */
import type { Config } from "./config/config.ts";
import { toConnectLimits, toProxyOptions } from "./config/options.ts";
import { chooseTransport } from "./http/choose.ts";
import { createFetchClients } from "./http/fetch/clients.ts";
import { createFetchTransport } from "./http/fetch/transport.ts";
import { createHttp1Client } from "./http/h1/client.ts";
import { createFindProxy } from "./http/proxies.ts";
import { type RequestTracing, traceTransport } from "./http/traced.ts";
import type { Transport } from "./http/transport.ts";
import type { Resolver } from "./policy/resolver.ts";
import type { Turns } from "./turns/turns.ts";

/** The transport of the service. Disposing of it closes its idle connections. */
export interface ServiceTransport extends Disposable {
  readonly transport: Transport;
}

/** What the transports are created with. */
export interface TransportDeps {
  readonly resolver: Resolver;
  /** `undefined` when nothing is traced. */
  readonly tracing: RequestTracing | undefined;
  /** Certificates in PEM that `https:` trusts in addition to those of Deno. */
  readonly caCerts?: readonly string[] | undefined;
  /** When bodies are decoded. */
  readonly turns: Turns;
}

// As many idle connections as a busy destination needs at the same time.
const MAX_IDLE_CONNECTIONS_PER_HOST = 1024;

/** Creates the {@linkcode ServiceTransport}. */
export function createTransports(
  config: Config,
  { resolver, tracing, caCerts, turns }: TransportDeps,
): ServiceTransport {
  const http1 = createHttp1Client({
    ...toConnectLimits(config),
    caCerts,
    turns,
    lookup: async (hostname) => (await resolver.resolve(hostname)).map(String),
  });
  const clients = createFetchClients({ maxIdlePerHost: MAX_IDLE_CONNECTIONS_PER_HOST, caCerts });
  const findProxy = createFindProxy(toProxyOptions(config));
  return {
    transport: chooseTransport({
      direct: config.HTTP_CLIENT === "fetch" ? undefined : traceTransport(http1.request, tracing),
      isOverloaded: http1.isOverloaded,
      viaFetch: createFetchTransport({ clients, findProxy }),
      findProxy,
    }),
    [Symbol.dispose](): void {
      http1[Symbol.dispose]();
      clients[Symbol.dispose]();
    },
  };
}

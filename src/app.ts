/**
 * Builds the service from its configuration: creates the parts and joins them.
 *
 * @module
 */
import deno from "../deno.json" with { type: "json" };
import { createAuthentication } from "./auth/authentication.ts";
import { CLIENT_SOURCES } from "./client_sources.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { toAcceptedCredentials, toLimiterOptions } from "./config/options.ts";
import type { Connection } from "./connection/connection.ts";
import { CONSOLE_PARTS } from "./console_sources.ts";
import { createForward } from "./forward/forward.ts";
import { type ConnectionCounts, createConnectionPlaces } from "./limits/connection_places.ts";
import { createLimiter } from "./limits/limiter.ts";
import { createMemoryStore } from "./limits/memory_store.ts";
import type { Counting } from "./limits/shared.ts";
import { createOpenConnection } from "./open_connection.ts";
import { createResolver, type Resolver } from "./policy/resolver.ts";
import { countInFlight, createDrain } from "./server/drain.ts";
import type { Handler } from "./server/router.ts";
import { ReadingTurns } from "./server/reading_turns.ts";
import { createServerHandler } from "./server/server.ts";
import { createServiceMemory, type MemoryGroup } from "./service_memory.ts";
import { combine } from "./telemetry/combine.ts";
import type { MemoryUsage } from "./telemetry/gauges.ts";
import { createLogger, type Logger } from "./telemetry/logger.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import type { LogStream } from "./telemetry/output.ts";
import type { Telemetry, TelemetryEventType } from "./telemetry/telemetry.ts";
import { createTracing } from "./telemetry/tracing.ts";
import { createTransports } from "./transports.ts";
import { Turns } from "./turns/turns.ts";
import { parseUpstreams, type UpstreamSources } from "./upstream/definition.ts";
import { createGetStatus } from "./upstream/health_check.ts";
import { createRegistry } from "./upstream/registry.ts";
import { createSecretRedaction } from "./upstream/secret_redaction.ts";

/** The service, not yet listening. */
export interface App extends AsyncDisposable {
  /** Handles every request; for `Deno.serve`. */
  readonly handler: Handler;
  readonly telemetry: Telemetry;
  /** The metrics of this isolate; absent if the service collects none. */
  readonly metrics?: Metrics | undefined;
  /** Fulfils when all log lines that are waiting are written, at the latest after a second. */
  flush(): Promise<void>;
  /**
   * Accepts no new connections and requests. Fulfils when every connection has closed, at the latest two
   * seconds after `DRAIN_MS`. The handler still serves HTTP requests.
   */
  drain(): Promise<void>;
  /**
   * Reads the named upstreams and their secrets again.
   *
   * @throws {ConfigError} A definition is wrong; the former definitions stay in place.
   */
  reload(): void;
}

/** What tests and workers replace. */
export interface AppDeps {
  readonly telemetry?: Telemetry;
  readonly resolver?: Resolver;
  /** Certificates in PEM that `https:` trusts in addition to those of Deno. */
  readonly caCerts?: readonly string[];
  /** Where named upstreams and their secrets are read from. Default: nothing can be read. */
  readonly sources?: UpstreamSources;
  /** What this isolate shares with the others of the service. Default: it is the only one. */
  readonly group?: IsolateGroup;
}

/** What an isolate shares with the others that serve together with it. */
export interface IsolateGroup {
  /** Writes the log, in turn with the other isolates. */
  readonly stream: LogStream;
  /** Types of events that are logged once for the whole service, and not by each isolate. */
  readonly silent: ReadonlySet<TelemetryEventType>;
  /** Where the connections of all isolates are counted. */
  readonly connectionCounts: ConnectionCounts;
  /** Counts the use of identities in shared memory. */
  readonly counting: Counting;
  /** The memory of the process. */
  readonly ownMemory: MemoryGroup;
  /** Returns the memory of this isolate, without that of the process. */
  readonly memory: () => MemoryUsage;
  /** Returns the metrics of all isolates, in Prometheus' text format. */
  readonly renderMetrics: () => Promise<string>;
}

/** The name and version of the service, as `hello` tells them. */
export const SERVER_NAME = `wsfetch/${deno.version}`;

const NO_SOURCES: UpstreamSources = {
  env: () => undefined,
  readText: () => {
    throw new TypeError("No files can be read");
  },
};

/**
 * Creates the service.
 *
 * @throws {ConfigError} A definition of a named upstream is wrong.
 */
export function createApp(config: Config, deps: AppDeps = {}): App {
  const { resolver = createResolver(), sources = NO_SOURCES, group } = deps;
  const definitions = parseUpstreams(config.UPSTREAMS, sources);
  const redaction = createSecretRedaction([config.JWT_SECRET]);
  redaction.addSecretsOf(definitions);

  const connections = new Set<Connection>();
  const memory = createServiceMemory(config, connections, group?.ownMemory);
  const logger: Telemetry & Partial<Logger> = deps.telemetry ?? createLogger({
    level: config.LOG_LEVEL,
    format: config.LOG_FORMAT,
    redaction,
    ...(group && { stream: group.stream, silent: group.silent }),
  });
  const metrics = config.METRICS === "off" ? undefined : createMetrics({
    version: deno.version,
    upstreams: definitions.map(({ name }) => name),
  }, {
    connections: () => connections.size,
    inFlight: () => countInFlight(connections),
    budget: memory.budget,
    droppedLines: () => logger.dropped ?? 0,
    ...(group && { memory: group.memory }),
  });
  const telemetry = metrics === undefined ? logger : combine(logger, metrics.telemetry);
  const tracing = createTracing(deno.version);

  const turns = new Turns(systemClock);
  const transports = createTransports(config, { resolver, tracing, turns, caCerts: deps.caCerts });
  const forward = createForward(transports.transport, turns);

  const registry = createRegistry(definitions, { getStatus: createGetStatus(forward) });
  const limiter = createLimiter(
    toLimiterOptions(config),
    group?.counting.createStore ?? createMemoryStore,
    group && { createPlaces: group.counting.createPlaces },
  );
  const authenticator = createAuthentication(
    toAcceptedCredentials(config),
    (error) => telemetry.emit({ type: "failed", error }),
  );
  const { budget } = memory;
  const common = { authenticator, limiter, memory: budget, telemetry, clock: systemClock };
  const drain = createDrain(connections, { ...common, graceMs: config.DRAIN_MS });
  const handler = createServerHandler({
    allowedOrigins: config.ALLOWED_ORIGINS,
    listenHost: config.HOST,
    trustProxy: config.TRUST_PROXY,
    authenticationMayWait: config.JWT_JWKS_URL !== undefined,
    clientSources: CLIENT_SOURCES,
    consoleParts: config.CONSOLE === "on" ? CONSOLE_PARTS : undefined,
  }, {
    ...common,
    places: createConnectionPlaces(config.MAX_CONNECTIONS, group?.connectionCounts),
    connections,
    turns: new ReadingTurns(systemClock, turns.longTurns),
    openConnection: createOpenConnection(config, {
      ...common,
      server: SERVER_NAME,
      registry,
      resolver,
      forward,
      tracing,
      turns,
    }),
    isDraining: drain.isDraining,
    metrics: metrics && {
      render: group?.renderMetrics ?? metrics.render,
      contentType: metrics.contentType,
    },
  });

  return {
    handler,
    telemetry,
    metrics,
    flush: async () => await logger.flush?.(),
    drain: drain.start,
    reload(): void {
      const definitions = parseUpstreams(config.UPSTREAMS, sources);
      redaction.addSecretsOf(definitions);
      registry.load(definitions);
      telemetry.emit({ type: "reloaded", upstreams: definitions.map(({ name }) => name) });
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await drain.start();
      limiter[Symbol.dispose]();
      registry[Symbol.dispose]();
      metrics?.[Symbol.dispose]();
      memory[Symbol.dispose]();
      transports[Symbol.dispose]();
    },
  };
}

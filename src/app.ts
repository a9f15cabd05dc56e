/**
 * Builds the service from its configuration: the one place that creates the parts and joins them.
 *
 * @module
 */
import deno from "../deno.json" with { type: "json" };
import { type Authenticator, createAuthenticator } from "./auth/authenticator.ts";
import { createClientAddress, toAddressKey } from "./auth/client_address.ts";
import { readCredential } from "./auth/credential.ts";
import { createJwtCheck } from "./auth/jwt.ts";
import { createOriginCheck } from "./auth/origin.ts";
import { createTokenCheck } from "./auth/token.ts";
import { type Config, ConfigError, hasAuthentication } from "./config.ts";
import { systemClock } from "./clock.ts";
import { Connection, MAX_WAITING_REPLIES } from "./connection/connection.ts";
import { CONSOLE_PAGE, CONSOLE_SOURCES, CONSOLE_STYLE } from "./console_sources.ts";
import { plain } from "./dialect/plain.ts";
import { v1 } from "./dialect/v1.ts";
import { createRunner } from "./exchange/run.ts";
import { createWheel } from "./exchange/wheel.ts";
import { createFetchTransport } from "./http/fetch/transport.ts";
import { createForward, type Forward } from "./forward/forward.ts";
import { chooseTransport } from "./http/choose.ts";
import { createHttp1Client } from "./http/h1/client.ts";
import { type ConnectionCounts, createConnectionPlaces } from "./limits/connection_places.ts";
import { createLimiter, type Limiter, type LimiterOptions } from "./limits/limiter.ts";
import { createMemoryStore } from "./limits/memory_store.ts";
import type { Counting } from "./limits/shared.ts";
import { createPolicy } from "./policy/policy.ts";
import { createResolver, type Resolver } from "./policy/resolver.ts";
import type { HeaderPairs, Limits } from "./protocol/mod.ts";
import { createAdmission, createAuthenticate } from "./server/admission.ts";
import { createAssets } from "./server/assets.ts";
import { createConsoleAssets } from "./server/console_assets.ts";
import { createHandshakeCheck } from "./server/handshake_check.ts";
import { CLIENT_SOURCES } from "./client_sources.ts";
import { createMetricsHandler } from "./server/metrics.ts";
import { createRouter, type Handler } from "./server/router.ts";
import { createUpgrade } from "./server/upgrade.ts";
import { combine } from "./telemetry/combine.ts";
import type { MemoryUsage } from "./telemetry/gauges.ts";
import { createLogger, type Logger } from "./telemetry/logger.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import type { Telemetry, TelemetryEventType } from "./telemetry/telemetry.ts";
import { createTracing } from "./telemetry/tracing.ts";
import {
  parseUpstreams,
  type UpstreamDefinition,
  UpstreamsError,
  type UpstreamSources,
} from "./upstream/definition.ts";
import { createSecretRedaction } from "./upstream/secret_redaction.ts";
import { createRegistry, type GetStatus } from "./upstream/registry.ts";

/** The service, not yet listening. */
export interface App extends AsyncDisposable {
  /** Answers every request; for `Deno.serve`. */
  readonly handler: Handler;
  readonly telemetry: Telemetry;
  /** What was counted here; absent: nothing is. */
  readonly metrics?: Metrics | undefined;
  /** Writes what has been logged, now. */
  flush(): void;
  /**
   * Takes no more work, and fulfils when every exchange in flight has ended, at the latest after
   * `DRAIN_MS`. The HTTP side goes on answering.
   */
  drain(): Promise<void>;
  /**
   * Reads the named upstreams again, with their secrets.
   *
   * @throws {ConfigError} Something is wrong with them; what was there before stays in place.
   */
  reload(): void;
}

/** What tests replace. */
export interface AppDeps {
  readonly telemetry?: Telemetry;
  readonly resolver?: Resolver;
  readonly client?: Deno.HttpClient;
  /** Where the named upstreams and their secrets are read from. Default: there are none. */
  readonly sources?: UpstreamSources;
  /** What this isolate shares with the others of the service. Default: it is the only one. */
  readonly group?: IsolateGroup;
}

/** What an isolate shares with the others that serve together with it. */
export interface IsolateGroup {
  /** Writes bytes of log lines, in turn with the other isolates; returns how many were written. */
  readonly writeSync: (bytes: Uint8Array) => number;
  /** Types of events that are logged once for the whole service, and not by each isolate. */
  readonly silent: ReadonlySet<TelemetryEventType>;
  /** Where the connections of all isolates are counted. */
  readonly connectionCounts: ConnectionCounts;
  /** Counts the use of identities in shared memory. */
  readonly counting: Counting;
  /** Returns the memory of this isolate, without that of the process. */
  readonly memory: () => MemoryUsage;
  /** Returns the metrics of all isolates, in Prometheus' text format. */
  readonly renderMetrics: () => Promise<string>;
}

/** What the service calls itself: name and version. */
export const SERVER_NAME = `wsfetch/${deno.version}`;

// Idle connections kept for reuse: as many as a busy destination needs side by side.
const MAX_IDLE_CONNECTIONS_PER_HOST = 1024;

// After the grace: for the errors that end what is in flight, and the closing handshake.
const LAST_WORDS_MS = 2000;

// A health check is not a client: it has no redirects, and nobody reads what it says.
const PROBE = { method: "GET", body: null, redirect: "manual" } as const;

const CONSOLE_PARTS = {
  page: CONSOLE_PAGE,
  style: CONSOLE_STYLE,
  sources: { ...CLIENT_SOURCES, ...CONSOLE_SOURCES },
} as const;

const NO_SOURCES: UpstreamSources = {
  env: () => undefined,
  readText: () => {
    throw new TypeError("Files cannot be read here");
  },
};

/**
 * Creates the service.
 *
 * @throws {ConfigError} The named upstreams cannot be used.
 */
export function createApp(config: Config, deps: AppDeps = {}): App {
  const {
    resolver = createResolver(),
    client = Deno.createHttpClient({
      allowHost: true,
      poolMaxIdlePerHost: MAX_IDLE_CONNECTIONS_PER_HOST,
    }),
    sources = NO_SOURCES,
    group,
  } = deps;
  const definitions = readUpstreams(config, sources);
  const redaction = createSecretRedaction([config.JWT_SECRET]);
  redaction.addSecretsOf(definitions);
  const logger: Telemetry & Partial<Logger> = deps.telemetry ?? createLogger({
    level: config.LOG_LEVEL,
    format: config.LOG_FORMAT,
    redaction,
    ...(group && { writeSync: group.writeSync, silent: group.silent }),
  });
  const metrics = config.METRICS === "off" ? undefined : createMetrics({
    version: deno.version,
    upstreams: definitions.map(({ name }) => name),
  }, {
    connections: () => upgrade.connections.size,
    inFlight: () => sum([...upgrade.connections].map((each) => each.inFlight.size)),
    ...(group && { memory: group.memory }),
  });
  const telemetry = metrics === undefined ? logger : combine(logger, metrics.telemetry);
  const tracing = createTracing(deno.version);
  let draining: Promise<void> | undefined;
  const isDraining = (): boolean => draining !== undefined;

  const http1 = createHttp1Client({ maxIdlePerHost: MAX_IDLE_CONNECTIONS_PER_HOST });
  // What is traced goes through fetch, whose spans belong to the trace.
  const isDirect = config.HTTP_CLIENT !== "fetch" && tracing === undefined;
  const forward = createForward(chooseTransport({
    direct: isDirect ? http1.request : undefined,
    viaFetch: createFetchTransport(client),
  }));
  const registry = createRegistry(definitions, { getStatus: toGetStatus(forward) });
  const limiter = createLimits(config, group?.counting);
  const authenticator = createAuthentication(config, telemetry);
  const policy = createPolicy({
    allowHosts: config.ALLOW_HOSTS,
    denyHosts: config.DENY_HOSTS,
    allowPorts: config.ALLOW_PORTS,
  }, { resolver });
  const clock = systemClock;
  const runner = createRunner({
    allowMethods: config.ALLOW_METHODS,
    maxRequestBytes: config.MAX_REQUEST_BYTES,
    maxResponseBytes: config.MAX_RESPONSE_BYTES,
    maxStreamBytes: config.MAX_STREAM_BYTES,
    streamIdleMs: config.STREAM_IDLE_MS,
    timeoutMs: config.REQUEST_TIMEOUT_MS,
    maxTimeoutMs: config.MAX_TIMEOUT_MS,
  }, { limiter, registry, policy, forward, telemetry, tracing, clock });
  const limits = toLimits(config);
  const connectionDeps = {
    runner,
    wheel: createWheel(clock),
    limiter,
    authenticator,
    telemetry,
    clock,
    server: SERVER_NAME,
    limits,
    authGraceMs: config.AUTH_GRACE_MS,
    finishMs: config.MAX_TIMEOUT_MS,
    creditIdleMs: config.STREAM_IDLE_MS,
    windowBytes: config.WINDOW_BYTES,
    maxStreamBytes: config.MAX_STREAM_BYTES,
    socket: {
      highWaterBytes: config.SEND_BUFFER_BYTES,
      sendTimeoutMs: config.SEND_TIMEOUT_MS,
      maxWaiting: limits.maxInFlight + MAX_WAITING_REPLIES,
      clock,
    },
  };
  // The WebSocket and the console's question about it are decided by the same.
  const gate = {
    isOriginAllowed: createOriginCheck({
      allowedOrigins: config.ALLOWED_ORIGINS,
      listenHost: config.HOST,
    }),
    clientAddress: createClientAddress({ trustProxy: config.TRUST_PROXY }),
    admit: createAdmission({ authenticator, readCredential, toAddressKey, limiter }),
    isDraining,
    telemetry,
  };
  const seats = createConnectionPlaces(config.MAX_CONNECTIONS, group?.connectionCounts);
  const upgrade = createUpgrade({ mayWait: config.JWT_JWKS_URL !== undefined }, {
    ...gate,
    seats,
    openConnection: (client) => {
      const { webSocket, id, subprotocol, identity, key } = client;
      return new Connection({
        webSocket,
        dialect: subprotocol === undefined ? plain : v1,
        id,
        identity,
        key,
        upstreams: registry.namesFor(identity?.subject),
        closing: () => client.closing(),
      }, connectionDeps);
    },
  });
  const hasConsole = config.CONSOLE === "on";
  const isFull = (): boolean => seats.isFull;

  async function drainConnections(): Promise<void> {
    const graceMs = config.DRAIN_MS;
    const connections = [...upgrade.connections];
    telemetry.emit({ type: "draining", connections: connections.length, graceMs });
    let lastTimer: ReturnType<typeof setTimeout> | undefined;
    const timer = setTimeout(() => connections.forEach((each) => each.expire()), graceMs);
    connections.forEach((each) => each.drain(graceMs));
    await Promise.race([
      Promise.all(connections.map(({ gone }) => gone)),
      new Promise((resolve) => lastTimer = setTimeout(resolve, graceMs + LAST_WORDS_MS)),
    ]);
    clearTimeout(timer);
    clearTimeout(lastTimer);
  }

  const drain = (): Promise<void> => draining ??= drainConnections();

  return {
    handler: createRouter({
      upgrade,
      assets: {
        ...createAssets(CLIENT_SOURCES),
        ...(hasConsole && createConsoleAssets(CONSOLE_PARTS)),
      },
      checkHandshake: hasConsole ? createHandshakeCheck({ ...gate, isFull }) : undefined,
      metrics: metrics && createMetricsHandler({
        render: group?.renderMetrics ?? metrics.render,
        contentType: metrics.contentType,
      }, {
        authenticate: createAuthenticate({ authenticator, readCredential }),
      }),
      isDraining,
      telemetry,
    }),
    telemetry,
    metrics,
    flush: () => logger.flush?.(),
    drain,
    reload(): void {
      const definitions = readUpstreams(config, sources);
      redaction.addSecretsOf(definitions);
      registry.load(definitions);
      telemetry.emit({ type: "reloaded", upstreams: definitions.map(({ name }) => name) });
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await drain();
      limiter[Symbol.dispose]();
      registry[Symbol.dispose]();
      metrics?.[Symbol.dispose]();
      http1[Symbol.dispose]();
      client.close();
    },
  };
}

function toGetStatus(forward: Forward): GetStatus {
  return async function getStatus(url, headers, signal): Promise<number> {
    const check = (): { readonly headers: HeaderPairs } => ({ headers });
    const response = await forward({ ...PROBE, url, headers: [] }, { check, signal });
    response.body?.discard(); // the body may have no end
    return response.head.status;
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/**
 * Reads the named upstreams.
 *
 * @throws {ConfigError} Something is wrong with them.
 */
export function readUpstreams(
  { UPSTREAMS }: Pick<Config, "UPSTREAMS">,
  sources: UpstreamSources,
): readonly UpstreamDefinition[] {
  try {
    return parseUpstreams(UPSTREAMS, sources);
  } catch (error) {
    if (error instanceof UpstreamsError) throw new ConfigError(error.problems);
    throw error;
  }
}

function createLimits(config: Config, counting?: Counting): Limiter {
  const options = toLimiterOptions(config);
  if (counting === undefined) return createLimiter(options, createMemoryStore);
  return createLimiter(options, counting.createStore, { createPlaces: counting.createPlaces });
}

/** Gives the limits of each identity. */
export function toLimiterOptions(config: Config): LimiterOptions {
  return {
    maxConnections: config.LIMIT_CONNECTIONS,
    maxInFlight: config.LIMIT_IN_FLIGHT,
    requestsPerSecond: config.LIMIT_REQUESTS_PER_SECOND,
    requestBurst: config.LIMIT_REQUEST_BURST,
    bytesPerMinute: config.LIMIT_BYTES_PER_MINUTE,
  };
}

/** What `hello` tells a client of the limits; those that are 0 are none. */
function toLimits(config: Config): Limits {
  const { LIMIT_CONNECTIONS, LIMIT_IN_FLIGHT } = config;
  const { LIMIT_REQUESTS_PER_SECOND, LIMIT_REQUEST_BURST, LIMIT_BYTES_PER_MINUTE } = config;
  return {
    maxFrameBytes: config.MAX_FRAME_BYTES,
    maxInFlight: Math.min(config.MAX_IN_FLIGHT, LIMIT_IN_FLIGHT || Infinity),
    maxRequestBytes: config.MAX_REQUEST_BYTES,
    maxResponseBytes: config.MAX_RESPONSE_BYTES,
    maxTimeoutMs: config.MAX_TIMEOUT_MS,
    windowBytes: config.WINDOW_BYTES,
    ...(LIMIT_CONNECTIONS > 0 && { maxConnections: LIMIT_CONNECTIONS }),
    ...(LIMIT_REQUESTS_PER_SECOND > 0 && { requestsPerSecond: LIMIT_REQUESTS_PER_SECOND }),
    ...(LIMIT_REQUEST_BURST > 0 && { requestBurst: LIMIT_REQUEST_BURST }),
    ...(LIMIT_BYTES_PER_MINUTE > 0 && { bytesPerMinute: LIMIT_BYTES_PER_MINUTE }),
  };
}

/** Gives what checks credentials, or `undefined` when nobody is asked for one. */
function createAuthentication(config: Config, telemetry: Telemetry): Authenticator | undefined {
  if (!hasAuthentication(config)) return undefined;
  const { AUTH_TOKENS, JWT_JWKS_URL, JWT_SECRET, JWT_ISSUER, JWT_AUDIENCE, JWT_ALGORITHMS } =
    config;
  const hasJwt = JWT_JWKS_URL !== undefined || JWT_SECRET !== "";
  const options = {
    ...(JWT_JWKS_URL !== undefined && { jwksUrl: JWT_JWKS_URL }),
    ...(JWT_SECRET !== "" && { secret: JWT_SECRET }),
    ...(JWT_ISSUER !== "" && { issuer: JWT_ISSUER }),
    ...(JWT_AUDIENCE !== "" && { audience: JWT_AUDIENCE }),
    ...(JWT_ALGORITHMS.length > 0 && { algorithms: JWT_ALGORITHMS }),
    reservedSubjects: new Set(AUTH_TOKENS.map(({ name }) => name)),
  };
  const onKeysFailed = (error: unknown): void => telemetry.emit({ type: "failed", error });
  return createAuthenticator([
    createTokenCheck(AUTH_TOKENS),
    ...(hasJwt ? [createJwtCheck(options, { onKeysFailed })] : []),
  ]);
}

/**
 * Builds the service from its configuration: the one place that creates the parts and joins them.
 *
 * @module
 */
import deno from "../deno.json" with { type: "json" };
import { createOriginCheck } from "./auth/origin.ts";
import type { Config } from "./config.ts";
import { createConnection } from "./connection/connection.ts";
import { createRunExchange } from "./connection/exchange.ts";
import page from "./console/index.html" with { type: "text" };
import { plain } from "./dialect/plain.ts";
import { v1 } from "./dialect/v1.ts";
import { toLines, toServerSentEvents } from "./forward/events.ts";
import { createForward } from "./forward/forward.ts";
import { createPolicy } from "./policy/policy.ts";
import { createResolver, type Resolver } from "./policy/resolver.ts";
import { createAssets } from "./server/assets.ts";
import { CLIENT_SOURCES } from "./client_sources.ts";
import { createRouter, type Handler } from "./server/router.ts";
import { createUpgrade } from "./server/upgrade.ts";
import { createLogger } from "./telemetry/logger.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";

/** The service, not yet listening. */
export interface App extends AsyncDisposable {
  /** Answers every request; for `Deno.serve`. */
  readonly handler: Handler;
  readonly telemetry: Telemetry;
  /**
   * Takes no more work, and fulfils when every exchange in flight has ended, at the latest after
   * `DRAIN_MS`. The HTTP side goes on answering.
   */
  drain(): Promise<void>;
}

/** What tests replace. */
export interface AppDeps {
  readonly telemetry?: Telemetry;
  readonly resolver?: Resolver;
  readonly client?: Deno.HttpClient;
}

/** What the service calls itself: name and version. */
export const SERVER_NAME = `wsfetch/${deno.version}`;

// Idle connections kept for reuse: as many as a busy destination needs side by side.
const MAX_IDLE_CONNECTIONS_PER_HOST = 256;

// After the grace: for the errors that end what is in flight, and the closing handshake.
const LAST_WORDS_MS = 2000;

/** Creates the service. */
export function createApp(config: Config, deps: AppDeps = {}): App {
  const {
    telemetry = createLogger({ level: config.LOG_LEVEL, format: config.LOG_FORMAT }),
    resolver = createResolver(),
    client = Deno.createHttpClient({
      allowHost: true,
      poolMaxIdlePerHost: MAX_IDLE_CONNECTIONS_PER_HOST,
    }),
  } = deps;
  let draining: Promise<void> | undefined;
  const isDraining = (): boolean => draining !== undefined;

  const policy = createPolicy({
    allowHosts: config.ALLOW_HOSTS,
    denyHosts: config.DENY_HOSTS,
    allowPorts: config.ALLOW_PORTS,
  }, { resolver });
  const runExchange = createRunExchange({
    allowMethods: config.ALLOW_METHODS,
    maxRequestBytes: config.MAX_REQUEST_BYTES,
    maxResponseBytes: config.MAX_RESPONSE_BYTES,
    maxStreamBytes: config.MAX_STREAM_BYTES,
    streamIdleMs: config.STREAM_IDLE_MS,
    timeoutMs: config.REQUEST_TIMEOUT_MS,
    maxTimeoutMs: config.MAX_TIMEOUT_MS,
  }, { policy, forward: createForward({ client }), toServerSentEvents, toLines });
  const limits = {
    maxFrameBytes: config.MAX_FRAME_BYTES,
    maxInFlight: config.MAX_IN_FLIGHT,
    maxRequestBytes: config.MAX_REQUEST_BYTES,
    maxResponseBytes: config.MAX_RESPONSE_BYTES,
    maxTimeoutMs: config.MAX_TIMEOUT_MS,
    windowBytes: config.WINDOW_BYTES,
  };
  const maxStreamBytes = config.MAX_STREAM_BYTES;
  const socket = {
    highWaterBytes: config.SEND_BUFFER_BYTES,
    sendTimeoutMs: config.SEND_TIMEOUT_MS,
  };
  const upgrade = createUpgrade({ maxConnections: config.MAX_CONNECTIONS }, {
    isOriginAllowed: createOriginCheck({
      allowedOrigins: config.ALLOWED_ORIGINS,
      listenHost: config.HOST,
    }),
    openConnection: (webSocket, { id, subprotocol }) =>
      createConnection({ id, server: SERVER_NAME, limits, maxStreamBytes, socket }, {
        webSocket,
        dialect: subprotocol === undefined ? plain : v1,
        runExchange,
        telemetry,
      }),
    isDraining,
    telemetry,
  });

  async function drainConnections(): Promise<void> {
    const graceMs = config.DRAIN_MS;
    const connections = [...upgrade.connections];
    telemetry.draining({ connections: connections.length, graceMs });
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
      page,
      assets: createAssets(CLIENT_SOURCES),
      isDraining,
      telemetry,
    }),
    telemetry,
    drain,
    async [Symbol.asyncDispose](): Promise<void> {
      await drain();
      client.close();
    },
  };
}

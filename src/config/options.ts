/**
 * Settings as options of the service's parts.
 *
 * @module
 */
import type { AcceptedCredentials } from "../auth/authentication.ts";
import type { MemoryLimits } from "../exchange/admit.ts";
import type { DeliverLimits } from "../exchange/deliver.ts";
import type { RequestLimits } from "../exchange/request.ts";
import type { Http1Limits } from "../http/h1/client.ts";
import type { ProxyOptions } from "../http/proxies.ts";
import type { LimiterOptions } from "../limits/limiter.ts";
import type { Limits } from "../protocol/mod.ts";
import type { Config } from "./settings.ts";

/** Returns the credentials that clients may use. */
export function toAcceptedCredentials(config: Config): AcceptedCredentials {
  const { AUTH_TOKENS, JWT_JWKS_URL, JWT_SECRET, JWT_ISSUER, JWT_AUDIENCE, JWT_ALGORITHMS } =
    config;
  if (JWT_JWKS_URL === undefined && JWT_SECRET === "") return { tokens: AUTH_TOKENS };
  return {
    tokens: AUTH_TOKENS,
    jwt: {
      ...(JWT_JWKS_URL !== undefined && { jwksUrl: JWT_JWKS_URL }),
      ...(JWT_SECRET !== "" && { secret: JWT_SECRET }),
      ...(JWT_ISSUER !== "" && { issuer: JWT_ISSUER }),
      ...(JWT_AUDIENCE !== "" && { audience: JWT_AUDIENCE }),
      ...(JWT_ALGORITHMS.length > 0 && { algorithms: JWT_ALGORITHMS }),
    },
  };
}

/** Returns which proxies make requests. */
export function toProxyOptions(config: Config): ProxyOptions {
  const { HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY } = config;
  return { http: HTTP_PROXY, https: HTTPS_PROXY, all: ALL_PROXY, except: NO_PROXY };
}

/** Returns the limits of each identity. */
export function toLimiterOptions(config: Config): LimiterOptions {
  return {
    maxConnections: toMaxConnections(config),
    maxInFlight: config.LIMIT_IN_FLIGHT,
    requestsPerSecond: config.LIMIT_REQUESTS_PER_SECOND,
    requestBurst: config.LIMIT_REQUEST_BURST,
    bytesPerMinute: config.LIMIT_BYTES_PER_MINUTE,
  };
}

/** Returns the limits of connections to destinations. */
export function toConnectLimits(config: Config): Http1Limits {
  return { maxTlsPerHost: config.HOST_CONNECTIONS, connectTimeoutMs: config.CONNECT_TIMEOUT_MS };
}

/** Returns the limits of each exchange. */
export function toExchangeLimits(config: Config): RequestLimits & DeliverLimits & MemoryLimits {
  return {
    allowMethods: config.ALLOW_METHODS,
    maxRequestBytes: config.MAX_REQUEST_BYTES,
    maxResponseBytes: config.MAX_RESPONSE_BYTES,
    maxStreamBytes: config.MAX_STREAM_BYTES,
    streamIdleMs: config.STREAM_IDLE_MS,
    timeoutMs: config.REQUEST_TIMEOUT_MS,
    maxTimeoutMs: config.MAX_TIMEOUT_MS,
    windowBytes: config.WINDOW_BYTES,
  };
}

/** Returns the limits that `hello` tells a client, as far as the settings say them. Limits of an identity that are not set are left out. */
export function toHelloLimits(config: Config): Omit<Limits, "maxKeptBytes"> {
  const { LIMIT_IN_FLIGHT } = config;
  const maxConnections = toMaxConnections(config);
  const { LIMIT_REQUESTS_PER_SECOND, LIMIT_REQUEST_BURST, LIMIT_BYTES_PER_MINUTE } = config;
  return {
    maxFrameBytes: config.MAX_FRAME_BYTES,
    maxInFlight: Math.min(config.MAX_IN_FLIGHT, LIMIT_IN_FLIGHT || Infinity),
    maxRequestBytes: config.MAX_REQUEST_BYTES,
    maxResponseBytes: config.MAX_RESPONSE_BYTES,
    maxTimeoutMs: config.MAX_TIMEOUT_MS,
    windowBytes: config.WINDOW_BYTES,
    ...(maxConnections > 0 && { maxConnections }),
    ...(LIMIT_REQUESTS_PER_SECOND > 0 && { requestsPerSecond: LIMIT_REQUESTS_PER_SECOND }),
    ...(LIMIT_REQUEST_BURST > 0 && { requestBurst: LIMIT_REQUEST_BURST }),
    ...(LIMIT_BYTES_PER_MINUTE > 0 && { bytesPerMinute: LIMIT_BYTES_PER_MINUTE }),
  };
}

/** Returns how many connections an identity may have. By default, no identity can take most of the places. */
function toMaxConnections({ LIMIT_CONNECTIONS, MAX_CONNECTIONS }: Config): number {
  return LIMIT_CONNECTIONS === "auto" ? Math.ceil(MAX_CONNECTIONS / 4) : LIMIT_CONNECTIONS;
}

/**
 * Opens the connections of clients: builds what runs their exchanges, from the configuration.
 *
 * @module
 */
import type { Authenticator, Identity } from "./auth/authenticator.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { toExchangeLimits, toHelloLimits } from "./config/options.ts";
import { Connection, MAX_WAITING_REPLIES } from "./connection/connection.ts";
import type { ServerWebSocket } from "./connection/socket.ts";
import { plain } from "./dialect/plain.ts";
import { v1 } from "./dialect/v1.ts";
import { createRunner } from "./exchange/run.ts";
import { createWheel } from "./exchange/wheel.ts";
import type { Forward } from "./forward/forward.ts";
import type { Limiter } from "./limits/limiter.ts";
import { createPolicy } from "./policy/policy.ts";
import type { Resolver } from "./policy/resolver.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import type { Tracing } from "./telemetry/tracing.ts";
import { LongWork } from "./turns/long_work.ts";
import type { Turns } from "./turns/turns.ts";
import type { Registry } from "./upstream/registry.ts";

/** The open WebSocket of a client, and who the client is. */
export interface OpenSocket extends ServerWebSocket {
  /** The connection's name in the log. */
  readonly id: string;
  readonly identity: Identity | undefined;
  /** What limits count by. */
  readonly key: string;
  /** `undefined` for the plain dialect. */
  readonly subprotocol: string | undefined;
}

/** Creates the function that opens the connection of a client whose WebSocket has opened. */
export function createOpenConnection(
  config: Config,
  deps: {
    /** The name and version of the service, for `hello`. */
    readonly server: string;
    /** `undefined` if clients need no credential. */
    readonly authenticator: Authenticator | undefined;
    readonly limiter: Limiter;
    readonly registry: Registry;
    readonly resolver: Resolver;
    readonly forward: Forward;
    readonly telemetry: Telemetry;
    /** `undefined` if nothing is traced. */
    readonly tracing: Tracing | undefined;
    readonly turns: Turns;
    readonly clock: Clock;
  },
): (socket: OpenSocket) => Connection {
  const { registry, resolver, clock } = deps;
  const policy = createPolicy({
    allowHosts: config.ALLOW_HOSTS,
    denyHosts: config.DENY_HOSTS,
    allowPorts: config.ALLOW_PORTS,
  }, { resolver });
  const limits = toHelloLimits(config);
  const connectionDeps = {
    ...deps,
    runner: createRunner(toExchangeLimits(config), { ...deps, policy }),
    wheel: createWheel(clock),
    limits,
    authGraceMs: config.AUTH_GRACE_MS,
    finishMs: config.MAX_TIMEOUT_MS,
    longWork: new LongWork(deps.turns),
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

  return function openConnection(socket): Connection {
    const { id, identity, key, subprotocol } = socket;
    return new Connection({
      webSocket: socket,
      dialect: subprotocol === undefined ? plain : v1,
      id,
      identity,
      key,
      upstreams: registry.namesFor(identity?.subject),
    }, connectionDeps);
  };
}

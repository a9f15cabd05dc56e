/**
 * The server side of the service, with a clock that a test moves. Its connections have the real time, and can reach
 * no destination.
 *
 * @module
 */
import { fail } from "@std/assert";
import { systemClock } from "../../src/clock.ts";
import { parseConfig } from "../../src/config/config.ts";
import type { Connection } from "../../src/connection/connection.ts";
import { createLimiter } from "../../src/limits/limiter.ts";
import { createMemoryStore } from "../../src/limits/memory_store.ts";
import { createConnectionPlaces } from "../../src/limits/connection_places.ts";
import { createOpenConnection } from "../../src/open_connection.ts";
import { createResolver } from "../../src/policy/resolver.ts";
import { createDrain, type Drain } from "../../src/server/drain.ts";
import { ReadingTurns } from "../../src/server/reading_turns.ts";
import { LongTurns } from "../../src/turns/long_turns.ts";
import type { Handler } from "../../src/server/router.ts";
import { createServerHandler, type ServerDeps } from "../../src/server/server.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createRegistry } from "../../src/upstream/registry.ts";
import { createFakeClock, type FakeClock, withRealTurns } from "./clock.ts";
import { createAmpleBudget } from "./memory.ts";
import { NO_LIMITS } from "./limits.ts";
import { createLog, type Log } from "./log.ts";
import { createTurns } from "./turns.ts";

/** A running server. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  /** `ws://…/ws` */
  readonly url: string;
  /** `http://…` without a path. */
  readonly origin: string;
  /** Moves the time-outs of sockets and of the drain. */
  readonly clock: FakeClock;
  readonly log: Log;
  readonly drain: Drain;
}

/** How a server differs from the usual one, whose clients need no credential. */
export interface TestServerOptions extends Partial<ServerDeps> {
  readonly graceMs?: number;
  readonly authenticationMayWait?: boolean;
  /** Replaces the handler of all requests. */
  readonly wrap?: (handler: Handler, server: TestServer) => Handler;
}

/** Starts a server on a free port of the loopback interface. */
export function startServer(options: TestServerOptions = {}): TestServer {
  const { graceMs = 60_000, authenticationMayWait = false, wrap, ...deps } = options;
  const clock = createFakeClock();
  const log = createLog();
  const connections = new Set<Connection>();
  const telemetry = createLogger({ level: "debug", format: "json", write: log.write });
  const drain = createDrain(connections, { graceMs, telemetry, clock });
  const limiter = createLimiter(NO_LIMITS, createMemoryStore);
  const common = { authenticator: undefined, limiter, memory: createAmpleBudget(), telemetry };
  const handler = createServerHandler({
    allowedOrigins: [],
    listenHost: "127.0.0.1",
    trustProxy: 0,
    authenticationMayWait,
    clientSources: {},
    consoleParts: { page: "", style: "", sources: {} },
  }, {
    ...common,
    places: createConnectionPlaces(100),
    connections,
    turns: new ReadingTurns(systemClock, new LongTurns(systemClock)),
    openConnection: createOpenConnection(parseConfig({}), {
      ...common,
      server: "wsfetch/test",
      registry: createRegistry([], { getStatus: () => fail("no upstream is configured") }),
      resolver: createResolver(),
      forward: () => fail("no request is to be made"),
      tracing: undefined,
      turns: createTurns(),
      clock: systemClock,
    }),
    isDraining: drain.isDraining,
    metrics: undefined,
    clock: withRealTurns(clock),
    ...deps,
  });
  const abort = new AbortController();
  let handle = handler;
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    onListen: () => {},
    signal: abort.signal,
  }, (request, info) => handle(request, info));
  const { port } = server.addr;
  const running: TestServer = {
    port,
    url: `ws://127.0.0.1:${port}/ws`,
    origin: `http://127.0.0.1:${port}`,
    clock,
    log,
    drain,
    async [Symbol.asyncDispose](): Promise<void> {
      abort.abort();
      await server.finished;
    },
  };
  if (wrap !== undefined) handle = wrap(handler, running);
  return running;
}

/**
 * A connection over a WebSocket that a test holds in its hands, whose exchanges end when, and as, the test says.
 *
 * @module
 */
import type { Authenticator, Identity } from "../../src/auth/authenticator.ts";
import { type Connection, createConnect } from "../../src/connection/connection.ts";
import type { ExchangeContext } from "../../src/connection/exchange.ts";
import type { Exchange } from "../../src/connection/in_flight.ts";
import { createPace, type Pace } from "../../src/connection/pace.ts";
import type { WholeResponse } from "../../src/dialect/dialect.ts";
import { v1 } from "../../src/dialect/v1.ts";
import { createLimiter } from "../../src/limits/limiter.ts";
import { createMemoryStore } from "../../src/limits/memory_store.ts";
import { decodeChunk } from "../../src/protocol/mod.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import type { Frame } from "./client.ts";
import { NO_LIMITS } from "./limits.ts";
import { createLog, type Log } from "./log.ts";

/** One exchange as its runner sees it: to be ended by the test. */
export interface Run extends PromiseWithResolvers<void> {
  readonly exchange: Exchange;
  readonly context: ExchangeContext;
}

/** The WebSocket's send buffer. */
export interface SendBuffer {
  /** Bytes in it; frames wait when there are 2 or more. */
  amount: number;
  /** Fulfils when the connection next looks at it. */
  looked(): Promise<void>;
}

/** A connection and everything around it. */
export interface Bench {
  readonly connection: Connection;
  readonly runs: readonly Run[];
  readonly sent: readonly Frame[];
  readonly closedWith: () => number | undefined;
  /** Fulfils with the code when the server closes. */
  readonly closing: Promise<number>;
  readonly log: Log;
  readonly buffer: SendBuffer;
  request(id: number, members?: object): void;
}

/** How a bench differs from the usual one. */
export interface BenchOptions {
  /** Called with each line of the log, before it counts as logged. */
  readonly write?: (text: string) => void;
  readonly hearsAllowed?: boolean;
  readonly pace?: Pace;
  readonly identity?: Identity;
  readonly authenticator?: Authenticator;
}

/** An empty response that comes whole. */
export const WHOLE: WholeResponse = {
  response: {
    status: 200,
    statusText: "OK",
    url: "http://a.example/",
    redirected: false,
    headers: [],
    body: null,
  },
  timing: { waitMs: 1, totalMs: 1 },
};

/** The default of a run that has to be there. */
export function noRun(): never {
  throw new Error("No exchange has begun");
}

/** Creates a connection of wsfetch.v1 that has sent its `hello`. */
export function createBench(
  { write = () => {}, hearsAllowed = false, pace = createPace(), identity, authenticator }:
    BenchOptions = {},
): Bench {
  const runs: Run[] = [];
  const sent: Frame[] = [];
  let code: number | undefined;
  const closing = Promise.withResolvers<number>();
  const log = createLog();
  const writeBoth = (text: string): void => {
    write(text);
    log.write(text);
  };
  let looked = Promise.withResolvers<void>();
  const buffer: SendBuffer = {
    amount: 0,
    looked(): Promise<void> {
      looked = Promise.withResolvers();
      return looked.promise;
    },
  };
  const webSocket = {
    readyState: WebSocket.OPEN,
    get bufferedAmount(): number {
      looked.resolve();
      return buffer.amount;
    },
    send: (data: unknown) =>
      sent.push(
        data instanceof Uint8Array ? decodeChunk(data.slice().buffer) : JSON.parse(String(data)),
      ),
    close(closeCode = 1005): void {
      code = closeCode;
      closing.resolve(closeCode);
    },
  };
  const limits = {
    maxFrameBytes: 1000,
    maxInFlight: 2,
    maxRequestBytes: 1,
    maxResponseBytes: 1,
    maxTimeoutMs: 1,
    windowBytes: 10,
  };
  const connect = createConnect({
    server: "test",
    limits,
    authGraceMs: 1,
    creditIdleMs: 60_000,
    maxStreamBytes: 100,
    socket: { highWaterBytes: 1, sendTimeoutMs: 60_000 },
  }, {
    authenticator,
    pace,
    limiter: createLimiter(NO_LIMITS, createMemoryStore),
    telemetry: {
      ...createLogger({ level: "debug", format: "json", write: writeBoth }),
      hearsAllowed,
    },
    async runExchange(exchange, context): Promise<void> {
      const entering = context.pace.enter(exchange);
      if (entering !== undefined) {
        await entering;
        exchange.controller.signal.throwIfAborted();
      }
      const run = { ...Promise.withResolvers<void>(), exchange, context };
      runs.push(run);
      await run.promise;
    },
  });
  const connection = connect({
    webSocket,
    dialect: v1,
    id: "c",
    identity,
    key: "address:127.0.0.1",
    upstreams: [],
  });
  return {
    connection,
    runs,
    sent,
    closedWith: () => code,
    closing: closing.promise,
    log,
    buffer,
    request(id, members): void {
      const frame = { type: "request", id, url: "http://a.example/", ...members };
      connection.receive(JSON.stringify(frame));
    },
  };
}

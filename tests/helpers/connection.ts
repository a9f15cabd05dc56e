/**
 * A connection over a WebSocket that a test reads and fills, whose exchanges end when and as the test says.
 *
 * @module
 */
import type { Authenticator, Identity } from "../../src/auth/authenticator.ts";
import { FrameAllowance } from "../../src/connection/frame_allowance.ts";
import { Connection, MAX_WAITING_REPLIES } from "../../src/connection/connection.ts";
import { FrameOutlet, type OutletDeps } from "../../src/connection/outlet.ts";
import { FrameSocket, type ServerWebSocket } from "../../src/connection/socket.ts";
import type { ExchangeId } from "../../src/dialect/dialect.ts";
import { plain } from "../../src/dialect/plain.ts";
import { v1 } from "../../src/dialect/v1.ts";
import type { Exchange } from "../../src/exchange/exchange.ts";
import type { Outlet } from "../../src/exchange/outlet.ts";
import { createRunner, type Runner } from "../../src/exchange/run.ts";
import { createWheel } from "../../src/exchange/wheel.ts";
import { createForward } from "../../src/forward/forward.ts";
import { decodeChunk, type HttpResponse, type Timing } from "../../src/protocol/mod.ts";
import type { TelemetryEvent } from "../../src/telemetry/telemetry.ts";
import type { Frame } from "./client.ts";
import { LongWork } from "../../src/turns/long_work.ts";
import { Turns } from "../../src/turns/turns.ts";
import { createFakeClock, type FakeClock } from "./clock.ts";
import {
  ALLOW_ALL,
  type Call,
  createBlankExchange,
  createFakeDestination,
  createFakeLimiter,
  createFakeOutlet,
  createFakeRegistry,
  PLACES,
  type RecordedTelemetry,
  recordTelemetry,
  RUNNER_LIMITS,
} from "./exchange.ts";

/** The server's end of a WebSocket, whose send buffer the test sets. */
export interface FakeWebSocket extends ServerWebSocket {
  /** Bytes in the send buffer. */
  buffered: number;
  /** The messages that were sent, as they were then. */
  readonly messages: readonly (string | Uint8Array<ArrayBuffer>)[];
  /** The codes that it was closed with. */
  readonly closes: readonly number[];
}

/**
 * Creates an open WebSocket with an empty send buffer.
 *
 * @param onSend Called after each message.
 * @param onLook Returns the bytes in the buffer each time that they are asked for, of those before.
 */
export function createFakeWebSocket(
  { onSend = () => {}, onLook = (bytes) => bytes }: {
    readonly onSend?: (webSocket: FakeWebSocket) => void;
    readonly onLook?: (bytes: number) => number;
  } = {},
): FakeWebSocket {
  const messages: (string | Uint8Array<ArrayBuffer>)[] = [];
  const closes: number[] = [];
  const webSocket: FakeWebSocket = {
    readyState: WebSocket.OPEN,
    buffered: 0,
    messages,
    closes,
    get bufferedAmount(): number {
      return webSocket.buffered = onLook(webSocket.buffered);
    },
    send(message: unknown): void {
      messages.push(message instanceof Uint8Array ? message.slice() : String(message));
      onSend(webSocket);
    },
    close: (code = 1005) => void closes.push(code),
  };
  return webSocket;
}

/** Returns a message as a frame: parsed JSON, or a chunk. */
export function toFrame(message: string | Uint8Array<ArrayBuffer>): Frame {
  return typeof message === "string" ? JSON.parse(message) : decodeChunk(message.buffer);
}

/** An outlet over a WebSocket that a test reads. */
export interface OutletBench {
  readonly exchange: Exchange;
  readonly outlet: FrameOutlet;
  readonly webSocket: FakeWebSocket;
  readonly clock: FakeClock;
  readonly telemetry: RecordedTelemetry;
  /** Returns the frames so far. */
  frames(): Frame[];
}

/** How an outlet differs from the usual one. */
export interface OutletBenchOptions extends Partial<OutletDeps> {
  /** Default: that of the exchange. */
  readonly id?: ExchangeId;
  /** Whether its dialect streams. Default `true`. */
  readonly streams?: boolean;
}

/** Creates the outlet of an exchange; its WebSocket is full with more than one byte in its buffer. */
export function createOutletBench(
  exchange: Exchange,
  options: OutletBenchOptions = {},
): OutletBench {
  const { limiter = createFakeLimiter(), streams = true, ...deps } = options;
  const id = "id" in options ? options.id : exchange.record.id;
  const clock = createFakeClock();
  const telemetry = recordTelemetry();
  const webSocket = createFakeWebSocket();
  const socket = new FrameSocket(
    webSocket,
    { highWaterBytes: 1, sendTimeoutMs: 60_000, maxWaiting: 1000, clock },
    { closing: () => {}, paused: () => {} },
  );
  const allowance = new FrameAllowance(1, clock);
  const sink = { dialect: streams ? v1 : plain, socket, allowance };
  const outlet = new FrameOutlet({ exchange, id }, sink, {
    limiter,
    telemetry,
    clock,
    longWork: new LongWork(new Turns(clock)),
    creditIdleMs: 5000,
    windowBytes: 10,
    maxStreamBytes: 100,
    ...deps,
  });
  const frames = (): Frame[] => webSocket.messages.map(toFrame);
  return { exchange, outlet, webSocket, clock, telemetry, frames };
}

/** An empty response, delivered whole. */
export const EMPTY: HttpResponse = {
  status: 200,
  statusText: "OK",
  url: "http://a.example/",
  redirected: false,
  headers: [],
  body: null,
};

/** Some times. */
export const TIMING: Timing = { waitMs: 1, totalMs: 2 };

/** An exchange that has been started, to be ended by the test. */
export interface Run extends Pick<Call, "respond" | "fail"> {
  readonly exchange: Exchange;
  readonly outlet: Outlet;
  /** Whether its request has reached the destination. */
  readonly isMade: () => boolean;
  /** Settles after the exchange has ended. */
  readonly done: Promise<void>;
}

/** A connection and everything around it. */
export interface Bench {
  readonly connection: Connection;
  readonly webSocket: FakeWebSocket;
  readonly clock: FakeClock;
  readonly telemetry: RecordedTelemetry;
  /** Returns an exchange by the order in which they were started, from 0; throws when there is none. */
  run(index: number): Run;
  /** How many exchanges were started. */
  readonly started: () => number;
  /** Returns the frames so far; the first is `hello`. */
  frames(): Frame[];
  /** How often the server has closed the WebSocket. */
  readonly closings: () => number;
  request(id: number, members?: object): void;
  /** Sends an object as JSON, as the client does. */
  receive(frame: object): void;
  /** Takes all places, so that exchanges wait for one. */
  occupy(): void;
}

/** How a bench differs from the usual one. */
export interface BenchOptions {
  /** Called with each event before it is kept; an event for which it throws is lost. */
  readonly before?: (event: TelemetryEvent) => void;
  readonly identity?: Identity;
  readonly authenticator?: Authenticator;
  /** Whether a request fails as soon as its exchange is aborted. Default `true`. */
  readonly obeysSignal?: boolean;
  readonly clock?: FakeClock;
}

/** Creates a connection of wsfetch.v1 that has sent its `hello`. Frames wait with more than one byte in the buffer. */
export function createBench(
  { before = () => {}, identity, authenticator, obeysSignal = true, clock = createFakeClock() }:
    BenchOptions = {},
): Bench {
  const telemetry = recordTelemetry({ before });
  const webSocket = createFakeWebSocket();
  const { transport, calls } = createFakeDestination({ obeysSignal });
  const limiter = createFakeLimiter();
  const runner = createRunner(RUNNER_LIMITS, {
    limiter,
    registry: createFakeRegistry(),
    policy: ALLOW_ALL,
    forward: createForward(transport),
    telemetry,
    tracing: undefined,
    turns: new Turns(clock),
    clock,
  });
  const wheel = createWheel(clock);
  const runs: Run[] = [];
  const watched: Runner = {
    run(exchange, outlet): Promise<void> {
      const done = runner.run(exchange, outlet);
      const call = (): Call | undefined => calls.find(({ signal }) => signal === exchange.signal);
      runs.push({
        exchange,
        outlet,
        done,
        isMade: () => call() !== undefined,
        respond: (response) => call()?.respond(response),
        fail: (error) => call()?.fail(error),
      });
      return done;
    },
    refuse: runner.refuse,
  };
  const limits = {
    maxFrameBytes: 1000,
    maxInFlight: 2,
    maxRequestBytes: 1,
    maxResponseBytes: 1,
    maxTimeoutMs: 1,
    windowBytes: 10,
  };
  const connection = new Connection({
    webSocket,
    dialect: v1,
    id: "c",
    identity,
    key: "address:127.0.0.1",
    upstreams: ["shop"],
  }, {
    runner: watched,
    wheel,
    limiter,
    authenticator,
    telemetry,
    clock,
    longWork: new LongWork(new Turns(clock)),
    server: "test",
    limits,
    authGraceMs: 1000,
    finishMs: 500,
    creditIdleMs: 60_000,
    windowBytes: limits.windowBytes,
    maxStreamBytes: 100,
    socket: {
      highWaterBytes: 1,
      sendTimeoutMs: 60_000,
      maxWaiting: limits.maxInFlight + MAX_WAITING_REPLIES,
      clock,
    },
  });
  const receive = (frame: object): void => connection.receive(JSON.stringify(frame));
  return {
    connection,
    webSocket,
    clock,
    telemetry,
    run: (index) => runs[index] ?? noRun(),
    started: () => runs.length,
    frames: () => webSocket.messages.map(toFrame),
    closings: () => webSocket.closes.length,
    request: (id, members) =>
      receive({ type: "request", id, url: "http://a.example/", ...members }),
    receive,
    occupy(): void {
      for (let taken = 0; taken < PLACES; taken++) {
        runner.run(createBlankExchange({}, { wheel }), createFakeOutlet());
      }
    },
  };
}

function noRun(): never {
  throw new Error("The exchange was not started");
}

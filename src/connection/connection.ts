/**
 * One client's connection: frames in, exchanges side by side, frames out.
 *
 * @module
 */
import type { Authenticator, Identity } from "../auth/authenticator.ts";
import type { Dialect, ExchangeId } from "../dialect/dialect.ts";
import type { Limiter } from "../limits/limiter.ts";
import {
  type Chunk,
  type CloseCode,
  type Limits,
  ProxyError,
  type ProxyRequest,
  SUBPROTOCOL,
} from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { describeIdentity } from "./credential.ts";
import type { RunExchange } from "./exchange.ts";
import { createExchange, createInFlight, type Exchange, failExchange } from "./in_flight.ts";
import { createLifetime } from "./lifetime.ts";
import { createRecord, type Place, recordDecision } from "./record.ts";
import { run, type RunDeps, startSpan, toProxyError } from "./run.ts";
import { createFrameSocket, type FrameSocketOptions, type WebSocketLike } from "./socket.ts";
import { elapsed } from "./times.ts";
import { createUpload, type Upload } from "./upload.ts";

/** A connection from its first frame to its close. Nothing here throws. */
export interface Connection {
  /** Takes one WebSocket message. */
  receive(data: string | ArrayBuffer): void;
  /** To be called when the WebSocket has closed; aborts what is in flight. */
  closed(code: number): void;
  /** Announces the end: takes no new exchange, and closes when the last one in flight has ended. */
  drain(graceMs: number): void;
  /** Ends every exchange in flight with an error, after {@linkcode Connection.drain}. */
  expire(): void;
  /** Exchanges that have begun and not ended. */
  readonly inFlight: number;
  /** Fulfils when the server's side is through: everything sent and the close begun. */
  readonly finished: Promise<void>;
  /** Fulfils when the connection has ended: {@linkcode Connection.closed} was called. */
  readonly gone: Promise<void>;
}

/** What a connection works under. */
export interface ConnectionOptions {
  /** Names the connection in the log. */
  readonly id: string;
  /** What serves it, for `hello`: `wsfetch/0.1.0`. */
  readonly server: string;
  /** Who was authenticated; `undefined`: nobody. */
  readonly identity: Identity | undefined;
  /** What limits count by. */
  readonly key: string;
  /** Named upstreams that this identity may use. */
  readonly upstreams: readonly string[];
  readonly limits: Limits;
  /** How long another credential is waited for when one has expired, in milliseconds. */
  readonly authGraceMs: number;
  /** How long a client may give no credit for a stream, in milliseconds. */
  readonly creditIdleMs: number;
  /** Bytes of a request body that is streamed. */
  readonly maxStreamBytes: number;
  readonly socket: Omit<FrameSocketOptions, "maxWaiting">;
}

/** What a connection works with. */
export interface ConnectionDeps {
  /** Open. */
  readonly webSocket: WebSocketLike;
  readonly dialect: Dialect;
  /** Checks the credentials that come in `auth` frames; `undefined`: nobody is authenticated here. */
  readonly authenticator: Authenticator | undefined;
  readonly limiter: Limiter;
  readonly runExchange: RunExchange;
  readonly telemetry: Telemetry;
  /** `undefined`: nothing is traced. */
  readonly tracing?: Tracing | undefined;
}

const MAX_MALFORMED = 16;
// Answers that no exchange bounds (refusals, pongs) may wait in this number.
const MAX_WAITING_ANSWERS = 1000;
// A frame of so many times fewer UTF-16 units than bytes allowed needs no counting.
const MAX_BYTES_PER_UNIT = 3;

/** Creates a connection on an open WebSocket and greets the client. */
export function createConnection(
  options: ConnectionOptions,
  { webSocket, dialect, authenticator, limiter, runExchange, telemetry, tracing }: ConnectionDeps,
): Connection {
  const { id: connectionId, identity, limits } = options;
  const openedAt = performance.now();
  const inFlight = createInFlight();
  const finished = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  let exchanges = 0;
  let malformed = 0;
  let closedWith: CloseCode | undefined;
  let disconnected = false;

  const socket = createFrameSocket(
    webSocket,
    { ...options.socket, maxWaiting: limits.maxInFlight + MAX_WAITING_ANSWERS },
    { ended, paused: () => telemetry.paused({ connection: connectionId }) },
  );
  const lifetime = createLifetime({
    connection: connectionId,
    identity,
    graceMs: options.authGraceMs,
    finishMs: limits.maxTimeoutMs,
  }, { authenticator, dialect, socket, inFlight, telemetry });

  const leaveIfDone = (): void => lifetime.leaveIfDone();
  const failed = (error: unknown): void => telemetry.failed({ connection: connectionId, error });
  const runDeps: RunDeps = {
    caller: { identity: identity?.subject, key: options.key },
    outlet: {
      dialect,
      socket,
      limiter,
      key: options.key,
      creditIdleMs: options.creditIdleMs,
      failed,
    },
    decided({ record }, url, decision): void {
      recordDecision(record, url, decision);
      const { allow, reason } = decision;
      if (allow && !telemetry.hearsAllowed) return;
      const { connection, exchange, host } = record;
      telemetry.decided({ connection, exchange, host, allow, reason });
    },
    runExchange,
    telemetry,
    tracing,
    ended: (exchange) => inFlight.delete(exchange),
  };

  function ended(code: CloseCode): void {
    closedWith = code;
    lifetime.close();
    inFlight.cancelAll();
    finished.resolve();
  }

  function refuse(id: ExchangeId, error: ProxyError): void {
    // A malformed request that has an id is an exchange all the same, which has failed.
    if (id !== undefined) {
      return refuseExchange({ id, record: createRecord(id, nextPlace()) }, error);
    }
    telemetry.malformed({ connection: connectionId, code: error.code });
    const text = dialect.encodeError(id, error);
    socket.send(() => text);
    if (error.code === "bad_frame" && ++malformed >= MAX_MALFORMED) socket.close(4500);
  }

  /** What could not be read has no request. */
  function refuseExchange(
    exchange: Pick<Exchange, "id" | "record"> & { readonly request?: ProxyRequest },
    error: ProxyError,
  ): void {
    const { id, record } = exchange;
    const span = startSpan(exchange, tracing);
    record.outcome = "error";
    record.code = error.code;
    span?.end(record);
    telemetry.exchanged(record);
    const text = dialect.encodeError(id, error, record.requestId);
    socket.send(() => text);
  }

  function nextPlace(): Place {
    return { connection: connectionId, sequence: ++exchanges, identity: identity?.subject };
  }

  function begin(id: ExchangeId, request: ProxyRequest): void {
    const exchange: Exchange = createExchange({
      id,
      request,
      upload: request.bodyFollows ? expectBody(id, () => exchange) : undefined,
    }, nextPlace());
    const refusal = lifetime.findRefusal() ?? findCrowd();
    if (refusal !== undefined) return refuseExchange(exchange, refusal);
    inFlight.add(exchange);
    run(exchange, runDeps).then(leaveIfDone, failed);
  }

  /** A body that the client sends in chunks, with grants for it as it is read. */
  function expectBody(id: ExchangeId, getExchange: () => Exchange): Upload {
    return createUpload({
      windowBytes: limits.windowBytes,
      maxBytes: options.maxStreamBytes,
      taken: () => getExchange().uploaded(),
      grant(bytes): void {
        if (typeof id !== "number" || getExchange().cancelled) return;
        const frame = dialect.stream?.encodePart({ type: "grant", id, bytes });
        if (typeof frame === "string") socket.send(() => frame);
      },
    });
  }

  /** A chunk that cannot be taken fails the exchange that waits for it: its body would have a hole. */
  function refuseMessage(data: string | ArrayBuffer, id: ExchangeId, error: ProxyError): void {
    const exchange = typeof data !== "string" && data.byteLength >= 4
      ? inFlight.find(new DataView(data).getUint32(0))
      : undefined;
    if (exchange === undefined) return refuse(id, error);
    failExchange(exchange, error);
  }

  function takeChunk(chunk: Chunk): void {
    const exchange = inFlight.find(chunk.id);
    if (exchange === undefined) return; // it has ended: the two frames have crossed
    exchange.record.requestBytes += chunk.payload.byteLength;
    try {
      if (exchange.upload !== undefined) return exchange.upload.push(chunk);
      throw new ProxyError("flow_control_error", "A chunk came for a request without bodyFollows");
    } catch (error) {
      failExchange(exchange, toProxyError(error, telemetry, connectionId));
    }
  }

  function findCrowd(): ProxyError | undefined {
    if (inFlight.size < limits.maxInFlight) return undefined;
    const message = `${limits.maxInFlight} exchanges are in flight; wait for one to end`;
    return new ProxyError("too_many_in_flight", message);
  }

  function greet(): void {
    const hello = dialect.encodeConnectionFrame({
      type: "hello",
      protocol: SUBPROTOCOL,
      server: options.server,
      connection: connectionId,
      ...describeIdentity(identity),
      upstreams: options.upstreams,
      limits,
    });
    socket.send(() => hello);
  }

  greet();

  return {
    receive(data: string | ArrayBuffer): void {
      if (closedWith !== undefined || disconnected) return;
      if (isLarger(data, limits.maxFrameBytes)) {
        const message = `The frame is larger than ${limits.maxFrameBytes} bytes`;
        return refuseMessage(data, undefined, new ProxyError("frame_too_large", message));
      }
      const incoming = dialect.decode(data);
      switch (incoming.type) {
        case "request":
          if (inFlight.has(incoming.id)) return socket.close(4509);
          return begin(incoming.id, incoming.request);
        case "invalid":
          if (inFlight.has(incoming.id)) return socket.close(4509);
          return refuseMessage(data, incoming.id, incoming.error);
        case "cancel":
          return inFlight.cancel(incoming.id);
        case "grant":
          return inFlight.find(incoming.id)?.credit?.grant(incoming.bytes);
        case "chunk":
          return takeChunk(incoming.chunk);
        case "ping": {
          const pong = dialect.encodeConnectionFrame({ ...incoming, type: "pong" });
          return void socket.send(() => pong);
        }
        case "auth":
          return lifetime.renew(incoming.token);
      }
    },

    closed(code: number): void {
      if (disconnected) return;
      disconnected = true;
      lifetime.close();
      socket.closed();
      inFlight.cancelAll();
      finished.resolve();
      gone.resolve();
      telemetry.disconnected({
        connection: connectionId,
        code: closedWith ?? code,
        closedBy: closedWith === undefined ? "client" : "server",
        exchanges,
        durationMs: elapsed(openedAt),
      });
    },

    drain(graceMs: number): void {
      if (!disconnected) lifetime.drain(graceMs);
    },
    expire: () => lifetime.expire(),
    get inFlight(): number {
      return inFlight.size;
    },
    finished: finished.promise,
    gone: gone.promise,
  };
}

function isLarger(data: string | ArrayBuffer, maxBytes: number): boolean {
  if (typeof data !== "string") return data.byteLength > maxBytes;
  if (data.length * MAX_BYTES_PER_UNIT <= maxBytes) return false;
  return data.length > maxBytes || new TextEncoder().encode(data).byteLength > maxBytes;
}

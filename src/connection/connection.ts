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
  type HelloFrame,
  isIdempotent,
  type Limits,
  ProxyError,
  type ProxyRequest,
  SUBPROTOCOL,
} from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createCredential, type Credential } from "./credential.ts";
import { type Caller, elapsed, type RunExchange } from "./exchange.ts";
import {
  createExchange,
  createInFlight,
  createRecord,
  type Exchange,
  failExchange,
  type Place,
} from "./in_flight.ts";
import { run, toProxyError } from "./run.ts";
import { createFrameSocket, type FrameSocketOptions, type WebSocketLike } from "./socket.ts";
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
}

const MAX_MALFORMED = 16;
// Answers that no exchange bounds (refusals, pongs) may wait in this number.
const MAX_WAITING_ANSWERS = 1000;
// A frame of so many times fewer UTF-16 units than bytes allowed needs no counting.
const MAX_BYTES_PER_UNIT = 3;

/** Creates a connection on an open WebSocket and greets the client. */
export function createConnection(
  options: ConnectionOptions,
  { webSocket, dialect, authenticator, limiter, runExchange, telemetry }: ConnectionDeps,
): Connection {
  const { id: connectionId, identity, limits } = options;
  const caller: Caller = { identity: identity?.subject, key: options.key };
  const openedAt = performance.now();
  const inFlight = createInFlight();
  const finished = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  let exchanges = 0;
  let malformed = 0;
  let draining = false;
  let expired = false;
  /** With which code the connection is to end behind its last exchange. */
  let leaving: CloseCode | undefined;
  let closedWith: CloseCode | undefined;
  let disconnected = false;

  const socket = createFrameSocket(
    webSocket,
    { ...options.socket, maxWaiting: limits.maxInFlight + MAX_WAITING_ANSWERS },
    { ended },
  );
  const credential: Credential = createCredential({
    identity,
    graceMs: options.authGraceMs,
    finishMs: limits.maxTimeoutMs,
  }, {
    authenticator,
    expired: () => retire(leaving ?? 4501),
    overdue: () => failAll("unauthorized", "The credential has expired"),
  });

  function ended(code: CloseCode): void {
    closedWith = code;
    credential.close();
    inFlight.cancelAll();
    finished.resolve();
  }

  function answerError(id: ExchangeId, error: ProxyError): void {
    const text = dialect.encodeError(id, error);
    socket.send(() => text);
  }

  function refuse(id: ExchangeId, error: ProxyError): void {
    if (id === undefined) telemetry.malformed({ connection: connectionId, code: error.code });
    else {
      // A malformed request that has an id is an exchange all the same, which has failed.
      const { code } = error;
      telemetry.exchanged({ ...createRecord(id, nextPlace()), outcome: "error", code });
    }
    answerError(id, error);
    if (error.code === "bad_frame" && ++malformed >= MAX_MALFORMED) socket.close(4500);
  }

  function nextPlace(): Place {
    return { connection: connectionId, sequence: ++exchanges, identity: caller.identity };
  }

  function begin(id: ExchangeId, request: ProxyRequest): void {
    const exchange: Exchange = createExchange({
      id,
      request,
      upload: request.bodyFollows ? expectBody(id, () => exchange) : undefined,
    }, nextPlace());
    const refusal = findRefusal();
    if (refusal !== undefined) {
      telemetry.exchanged({ ...exchange.record, outcome: "error", code: refusal.code });
      return answerError(id, refusal);
    }
    inFlight.add(exchange);
    run(exchange, { caller, limiter, dialect, socket, runExchange, telemetry, ended: forget })
      .then(leaveIfDone, (error) => telemetry.failed({ connection: connectionId, error }));
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

  function findRefusal(): ProxyError | undefined {
    if (draining) {
      return new ProxyError("draining", "The server is going away; open a new connection");
    }
    const refusal = credential.findRefusal();
    if (refusal !== undefined || inFlight.size < limits.maxInFlight) return refusal;
    const message = `${limits.maxInFlight} exchanges are in flight; wait for one to end`;
    return new ProxyError("too_many_in_flight", message);
  }

  const forget = (exchange: Exchange): void => inFlight.delete(exchange);

  /** Ends the connection behind its last exchange. */
  function retire(code: CloseCode): void {
    leaving = code;
    leaveIfDone();
  }

  function leaveIfDone(): void {
    if (leaving !== undefined && inFlight.size === 0) leave(leaving);
  }

  /** Closes once the client has been handed everything, or at once when the grace is over. */
  function leave(code: CloseCode): void {
    if (expired) return socket.close(code);
    socket.flushed().then(() => {
      if (leaving === code) socket.close(code);
    });
  }

  function failAll(code: "draining" | "unauthorized", message: string): void {
    inFlight.failAll(({ request: { method } }) =>
      new ProxyError(code, message, { sent: "maybe", retryable: isIdempotent(method) })
    );
  }

  function renew(token: string): void {
    const { identity } = caller;
    credential.renew(token).then((renewed) => {
      // It may have come just in time.
      if (leaving === 4501) leaving = undefined;
      telemetry.authenticated({ connection: connectionId, identity, outcome: "renewed" });
      const frame = dialect.encodeConnectionFrame({
        type: "authenticated",
        ...describeIdentity(renewed),
      });
      socket.send(() => frame);
    }).catch((thrown) => {
      const error = toProxyError(thrown, telemetry, connectionId);
      const { message: reason } = error;
      telemetry.authenticated({ connection: connectionId, identity, outcome: "refused", reason });
      if (error.retryable || error.code !== "unauthorized") return answerError(undefined, error);
      socket.close(4501);
    });
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
          return inFlight.find(incoming.id)?.credit.grant(incoming.bytes);
        case "chunk":
          return takeChunk(incoming.chunk);
        case "ping": {
          const pong = dialect.encodeConnectionFrame({ ...incoming, type: "pong" });
          return void socket.send(() => pong);
        }
        case "auth":
          return renew(incoming.token);
      }
    },

    closed(code: number): void {
      if (disconnected) return;
      disconnected = true;
      credential.close();
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
      if (draining || disconnected) return;
      draining = true;
      const goaway = dialect.encodeConnectionFrame({ type: "goaway", graceMs });
      socket.send(() => goaway);
      retire(1001);
    },

    expire(): void {
      expired = true;
      // Nobody waits for a client that does not read.
      if (inFlight.size === 0 || socket.isWaiting()) return socket.close(1001);
      failAll("draining", "The server went away before the exchange had ended");
    },

    finished: finished.promise,
    gone: gone.promise,
  };
}

/** Who a client is, as frames say it. */
function describeIdentity(
  identity: Identity | undefined,
): Pick<HelloFrame, "identity" | "expiresAt"> {
  const { subject = null, expiresAt } = identity ?? {};
  return {
    identity: subject,
    expiresAt: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
  };
}

function isLarger(data: string | ArrayBuffer, maxBytes: number): boolean {
  if (typeof data !== "string") return data.byteLength > maxBytes;
  if (data.length * MAX_BYTES_PER_UNIT <= maxBytes) return false;
  return data.length > maxBytes || new TextEncoder().encode(data).byteLength > maxBytes;
}

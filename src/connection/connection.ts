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
import type { Decided } from "./check.ts";
import { describeIdentity } from "./credential.ts";
import type { RunExchange } from "./exchange.ts";
import { createExchange, createInFlight, type Exchange, failExchange } from "./in_flight.ts";
import { createLifetime, type Lifetime } from "./lifetime.ts";
import { createPace, type Pace } from "./pace.ts";
import { createRecord, type Place, recordDecision } from "./record.ts";
import { run, type RunDeps, startSpan, toProxyError } from "./run.ts";
import {
  createFrameSocket,
  type FrameSocket,
  type FrameSocketDeps,
  type FrameSocketOptions,
  type WebSocketLike,
} from "./socket.ts";
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
  /** Fulfils when the connection has ended: {@linkcode Connection.closed} was called. */
  readonly gone: Promise<void>;
}

/** Whom a connection serves. */
export interface Client {
  /** Open. */
  readonly webSocket: WebSocketLike;
  readonly dialect: Dialect;
  /** Names the connection in the log. */
  readonly id: string;
  /** Who was authenticated; `undefined`: nobody. */
  readonly identity: Identity | undefined;
  /** What limits count by. */
  readonly key: string;
  /** Named upstreams that this identity may use. */
  readonly upstreams: readonly string[];
  /** Called when the server's side is through, before the client has closed: everything sent and the close begun. */
  readonly closing?: () => void;
}

/** What all connections work under. */
export interface ConnectionOptions {
  /** What serves them, for `hello`: `wsfetch/0.1.0`. */
  readonly server: string;
  readonly limits: Limits;
  /** How long another credential is waited for when one has expired, in milliseconds. */
  readonly authGraceMs: number;
  /** How long a client may give no credit for a stream, in milliseconds. */
  readonly creditIdleMs: number;
  /** Bytes of a request body that is streamed. */
  readonly maxStreamBytes: number;
  /** Frames of `send` that may wait are as many as an honest client can cause. */
  readonly socket: Omit<FrameSocketOptions, "maxWaiting">;
}

/** What all connections work with. */
export interface ConnectionDeps {
  /** Checks the credentials that come in `auth` frames; `undefined`: nobody is authenticated here. */
  readonly authenticator: Authenticator | undefined;
  readonly limiter: Limiter;
  readonly runExchange: RunExchange;
  readonly telemetry: Telemetry;
  /** `undefined`: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  /** How many exchanges there are at a time. */
  readonly pace?: Pace;
}

/** Makes the connection of an open WebSocket and greets the client. */
export type Connect = (client: Client) => Connection;

const MAX_MALFORMED = 16;
// Answers that no exchange bounds (refusals, pongs) may wait in this number.
const MAX_WAITING_ANSWERS = 1000;
// A frame of so many times fewer UTF-16 units than bytes allowed needs no counting.
const MAX_BYTES_PER_UNIT = 3;

/** Creates a {@linkcode Connect}. */
export function createConnect(
  { socket, ...options }: ConnectionOptions,
  deps: ConnectionDeps,
): Connect {
  const maxWaiting = options.limits.maxInFlight + MAX_WAITING_ANSWERS;
  const pace = createPace();
  const shared = { pace, ...options, ...deps, socketOptions: { ...socket, maxWaiting } };
  return (client) => {
    const connection = new ClientConnection(client, shared);
    connection.greet(client);
    return connection;
  };
}

/** What all connections have in common. */
interface Shared extends Omit<ConnectionOptions, "socket">, ConnectionDeps {
  readonly socketOptions: FrameSocketOptions;
  readonly pace: Pace;
}

/**
 * A class, as is each of its parts, which it is the context of: there are many idle connections, and the functions of
 * a closure would be made for each.
 */
class ClientConnection implements Connection, RunDeps, FrameSocketDeps {
  readonly dialect: Dialect;
  readonly key: string;
  readonly socket: FrameSocket;
  readonly #id: string;
  readonly #identity: Identity | undefined;
  readonly #closing: (() => void) | undefined;
  readonly #shared: Shared;
  readonly #openedAt = performance.now();
  readonly #inFlight = createInFlight();
  readonly #lifetime: Lifetime;
  #gone: PromiseWithResolvers<void> | undefined;
  #exchanges = 0;
  #malformed = 0;
  #closedWith: CloseCode | undefined;
  #disconnected = false;

  constructor({ webSocket, dialect, id, identity, key, closing }: Client, shared: Shared) {
    const { authenticator, telemetry, authGraceMs: graceMs, limits } = shared;
    this.dialect = dialect;
    this.key = key;
    this.#id = id;
    this.#identity = identity;
    this.#closing = closing;
    this.#shared = shared;
    const socket = this.socket = createFrameSocket(webSocket, shared.socketOptions, this);
    this.#lifetime = createLifetime(
      { connection: id, identity, graceMs, finishMs: limits.maxTimeoutMs },
      { authenticator, dialect, socket, inFlight: this.#inFlight, telemetry },
    );
  }

  get subject(): string | undefined {
    return this.#identity?.subject;
  }

  get creditIdleMs(): number {
    return this.#shared.creditIdleMs;
  }

  get limiter(): Limiter {
    return this.#shared.limiter;
  }

  get runExchange(): RunExchange {
    return this.#shared.runExchange;
  }

  get telemetry(): Telemetry {
    return this.#shared.telemetry;
  }

  get pace(): Pace {
    return this.#shared.pace;
  }

  get tracing(): Tracing | undefined {
    return this.#shared.tracing;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  get gone(): Promise<void> {
    this.#gone ??= Promise.withResolvers();
    if (this.#disconnected) this.#gone.resolve();
    return this.#gone.promise;
  }

  greet({ upstreams }: Pick<Client, "upstreams">): void {
    const { server, limits } = this.#shared;
    const hello = this.dialect.encodeConnectionFrame({
      type: "hello",
      protocol: SUBPROTOCOL,
      server,
      connection: this.#id,
      ...describeIdentity(this.#identity),
      upstreams,
      limits,
    });
    this.socket.send(() => hello);
  }

  receive(data: string | ArrayBuffer): void {
    if (this.#closedWith !== undefined || this.#disconnected) return;
    const { limits } = this.#shared;
    if (isLarger(data, limits.maxFrameBytes)) {
      const message = `The frame is larger than ${limits.maxFrameBytes} bytes`;
      return this.#refuseMessage(data, undefined, new ProxyError("frame_too_large", message));
    }
    const { dialect, socket } = this;
    const inFlight = this.#inFlight;
    const incoming = dialect.decode(data);
    switch (incoming.type) {
      case "request":
        if (inFlight.has(incoming.id)) return socket.close(4509);
        return this.#begin(incoming.id, incoming.request);
      case "invalid":
        if (inFlight.has(incoming.id)) return socket.close(4509);
        return this.#refuseMessage(data, incoming.id, incoming.error);
      case "cancel":
        return inFlight.cancel(incoming.id);
      case "grant":
        return inFlight.find(incoming.id)?.credit?.grant(incoming.bytes);
      case "chunk":
        return this.#takeChunk(incoming.chunk);
      case "ping": {
        const pong = dialect.encodeConnectionFrame({ ...incoming, type: "pong" });
        return void socket.send(() => pong);
      }
      case "auth":
        return this.#lifetime.renew(incoming.token);
    }
  }

  closed(code: number): void {
    if (this.#disconnected) return;
    this.#disconnected = true;
    this.#lifetime.close();
    this.socket.closed();
    this.#inFlight.cancelAll();
    this.#gone?.resolve();
    this.telemetry.emit({
      type: "disconnected",
      connection: this.#id,
      code: this.#closedWith ?? code,
      closedBy: this.#closedWith === undefined ? "client" : "server",
      exchanges: this.#exchanges,
      durationMs: elapsed(this.#openedAt),
    });
  }

  drain(graceMs: number): void {
    if (!this.#disconnected) this.#lifetime.drain(graceMs);
  }

  expire(): void {
    this.#lifetime.expire();
  }

  paused(): void {
    this.telemetry.emit({ type: "paused", connection: this.#id });
  }

  closing(code: CloseCode): void {
    this.#closedWith = code;
    this.#lifetime.close();
    this.#inFlight.cancelAll();
    this.#closing?.();
  }

  decided({ record }: Exchange, ...[url, decision]: Parameters<Decided>): void {
    recordDecision(record, url, decision);
    const { allow, reason } = decision;
    if (allow && !this.telemetry.wantsAllowedHops) return;
    const { connection, exchange, host } = record;
    this.telemetry.emit({ type: "decided", connection, exchange, host, allow, reason });
  }

  answered(exchange: Exchange): void {
    this.pace.leave(exchange);
  }

  ended(exchange: Exchange): void {
    this.#inFlight.delete(exchange);
  }

  failed(error: unknown): void {
    this.telemetry.emit({ type: "failed", connection: this.#id, error });
  }

  #begin(id: ExchangeId, request: ProxyRequest): void {
    const exchange: Exchange = createExchange({
      id,
      request,
      upload: request.bodyFollows ? this.#expectBody(id, () => exchange) : undefined,
    }, this.#nextPlace());
    const refusal = this.#lifetime.findRefusal() ?? this.#findCrowd();
    if (refusal !== undefined) return this.#refuseExchange(exchange, refusal);
    this.#inFlight.add(exchange);
    run(exchange, this).then(
      () => this.#lifetime.leaveIfDone(),
      (error) => this.failed(error),
    );
  }

  #nextPlace(): Place {
    return { connection: this.#id, sequence: ++this.#exchanges, identity: this.subject };
  }

  #findCrowd(): ProxyError | undefined {
    const { maxInFlight } = this.#shared.limits;
    if (this.#inFlight.size < maxInFlight) return undefined;
    const message = `${maxInFlight} exchanges are in flight; wait for one to end`;
    return new ProxyError("too_many_in_flight", message);
  }

  /** A body that the client sends in chunks, with grants for it as it is read. */
  #expectBody(id: ExchangeId, getExchange: () => Exchange): Upload {
    const { limits, maxStreamBytes } = this.#shared;
    return createUpload({
      windowBytes: limits.windowBytes,
      maxBytes: maxStreamBytes,
      taken: () => getExchange().uploaded(),
      grant: (bytes) => {
        if (typeof id !== "number" || getExchange().cancelled) return;
        const frame = this.dialect.stream?.encodePart({ type: "grant", id, bytes });
        if (typeof frame === "string") this.socket.send(() => frame);
      },
    });
  }

  #takeChunk(chunk: Chunk): void {
    const exchange = this.#inFlight.find(chunk.id);
    if (exchange === undefined) return; // it has ended: the two frames have crossed
    exchange.record.requestBytes += chunk.payload.byteLength;
    try {
      if (exchange.upload !== undefined) return exchange.upload.push(chunk);
      throw new ProxyError("flow_control_error", "A chunk came for a request without bodyFollows");
    } catch (error) {
      failExchange(exchange, toProxyError(error, this.telemetry, this.#id));
    }
  }

  /** A chunk that cannot be taken fails the exchange that waits for it: its body would have a hole. */
  #refuseMessage(data: string | ArrayBuffer, id: ExchangeId, error: ProxyError): void {
    const exchange = typeof data !== "string" && data.byteLength >= 4
      ? this.#inFlight.find(new DataView(data).getUint32(0))
      : undefined;
    if (exchange === undefined) return this.#refuse(id, error);
    failExchange(exchange, error);
  }

  #refuse(id: ExchangeId, error: ProxyError): void {
    // A malformed request that has an id is an exchange all the same, which has failed.
    if (id !== undefined) {
      return this.#refuseExchange({ id, record: createRecord(id, this.#nextPlace()) }, error);
    }
    this.telemetry.emit({ type: "malformed", connection: this.#id, code: error.code });
    const text = this.dialect.encodeError(id, error);
    this.socket.send(() => text);
    if (error.code === "bad_frame" && ++this.#malformed >= MAX_MALFORMED) this.socket.close(4500);
  }

  /** What could not be read has no request. */
  #refuseExchange(
    exchange: Pick<Exchange, "id" | "record"> & { readonly request?: ProxyRequest },
    error: ProxyError,
  ): void {
    const { id, record } = exchange;
    const span = startSpan(exchange, this.tracing);
    record.outcome = "error";
    record.code = error.code;
    span?.end(record);
    this.telemetry.emit(record);
    const text = this.dialect.encodeError(id, error, record.requestId);
    this.socket.send(() => text);
  }
}

function isLarger(data: string | ArrayBuffer, maxBytes: number): boolean {
  if (typeof data !== "string") return data.byteLength > maxBytes;
  if (data.length * MAX_BYTES_PER_UNIT <= maxBytes) return false;
  return data.length > maxBytes || new TextEncoder().encode(data).byteLength > maxBytes;
}

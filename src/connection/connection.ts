/**
 * One client's connection: frames in, exchanges side by side, frames out.
 *
 * @module
 */
import type { Identity } from "../auth/authenticator.ts";
import { type Dialect, type ExchangeId, toNumber } from "../dialect/dialect.ts";
import { Exchange, roundMs } from "../exchange/exchange.ts";
import { type Caller, createRecord, type ExchangeRecord } from "../exchange/record.ts";
import type { Runner } from "../exchange/run.ts";
import type { Wheel } from "../exchange/wheel.ts";
import type { MemoryBudget } from "../limits/memory_budget.ts";
import {
  type CloseCode,
  type Limits,
  ProxyError,
  type ProxyRequest,
  SUBPROTOCOL,
} from "../protocol/mod.ts";
import { EARNED_BY_EXCHANGE, FrameAllowance, PRICES } from "./frame_allowance.ts";
import { describeIdentity } from "./credential.ts";
import { InFlight } from "./in_flight.ts";
import { type LastingConnection, Lifetime, type LifetimeOptions } from "./lifetime.ts";
import { ConnectionMemory } from "./memory.ts";
import { FrameOutlet, type OutletDeps } from "./outlet.ts";
import { isLarger, sizeOfMessage } from "../protocol/message_size.ts";
import {
  FrameSocket,
  type FrameSocketListener,
  type FrameSocketOptions,
  type ServerWebSocket,
} from "./socket.ts";

/** The client of a connection. */
export interface ConnectedClient {
  /** An open WebSocket. */
  readonly webSocket: ServerWebSocket;
  readonly dialect: Dialect;
  /** Names the connection in the log. */
  readonly id: string;
  /** The authenticated identity; `undefined` when the client was not authenticated. */
  readonly identity: Identity | undefined;
  /** The key that limits are counted by. */
  readonly key: string;
  /** Named upstreams that this identity may use. */
  readonly upstreams: readonly string[];
}

/** The settings and parts that all connections share. */
export interface ConnectionDeps extends LifetimeOptions, OutletDeps {
  readonly runner: Runner;
  readonly wheel: Wheel;
  readonly memory: MemoryBudget;
  /** Name and version of the server, for `hello`: `wsfetch/0.1.0`. */
  readonly server: string;
  readonly limits: Limits;
  readonly socket: FrameSocketOptions;
}

const MAX_MALFORMED = 16;
/** How many frames may wait that belong to no exchange in flight: refusals and pongs. */
export const MAX_WAITING_REPLIES = 1000;

/** A connection from its first frame to its close. No method throws. A class: there are many idle ones. */
export class Connection implements LastingConnection, FrameSocketListener {
  readonly id: string;
  readonly dialect: Dialect;
  readonly identity: Identity | undefined;
  readonly socket: FrameSocket;
  readonly inFlight: InFlight = new InFlight();
  readonly allowance: FrameAllowance;
  readonly memory: ConnectionMemory;
  readonly #caller: Caller;
  readonly #deps: ConnectionDeps;
  readonly #lifetime: Lifetime;
  readonly #openedAt: number;
  #gone: PromiseWithResolvers<void> | undefined = undefined;
  #exchanges = 0;
  #malformed = 0;
  #closedWith: CloseCode | undefined = undefined;
  #isGone = false;

  /** Opens the connection of a client and greets it. */
  constructor(client: ConnectedClient, deps: ConnectionDeps) {
    const { webSocket, dialect, id, identity, key, upstreams } = client;
    this.id = id;
    this.dialect = dialect;
    this.identity = identity;
    this.memory = new ConnectionMemory(key, this, deps.memory);
    this.socket = new FrameSocket(webSocket, deps.socket, this);
    this.allowance = new FrameAllowance(deps.limits.maxInFlight, deps.clock);
    this.#caller = { connection: id, subject: identity?.subject, key, queue: { round: 0 } };
    this.#deps = deps;
    this.#lifetime = new Lifetime(this, deps);
    this.#openedAt = deps.clock.now();
    this.#greet(upstreams);
  }

  /** Fulfils when the connection has ended: {@linkcode Connection.closed} was called. */
  get gone(): Promise<void> {
    this.#gone ??= Promise.withResolvers();
    if (this.#isGone) this.#gone.resolve();
    return this.#gone.promise;
  }

  /** Takes one WebSocket message. */
  receive(data: string | ArrayBuffer): void {
    if (this.#closedWith !== undefined || this.#isGone) return;
    this.memory.heard();
    const { maxFrameBytes } = this.#deps.limits;
    if (isLarger(data, maxFrameBytes)) {
      const message = `The frame is larger than ${maxFrameBytes} bytes`;
      return this.#refuseMessage(data, undefined, new ProxyError("frame_too_large", message));
    }
    const { dialect, socket, inFlight } = this;
    const incoming = dialect.decode(data);
    switch (incoming.type) {
      case "request":
        if (inFlight.has(incoming.id)) return socket.close(4509);
        return this.#start(incoming.id, incoming.request, sizeOfMessage(data));
      case "invalid":
        if (inFlight.has(incoming.id)) return socket.close(4509);
        return this.#refuseMessage(data, incoming.id, incoming.error);
      case "cancel":
        inFlight.cancel(incoming.id);
        return this.charge(PRICES.frame);
      case "grant":
        inFlight.find(incoming.id)?.grant(incoming.bytes);
        return this.charge(PRICES.frame);
      case "chunk": {
        const { chunk } = incoming;
        if (inFlight.find(chunk.id)?.takeChunk(chunk)) return;
        return this.charge(PRICES.frame, chunk.payload.byteLength);
      }
      case "ping":
        socket.send(() => dialect.encodeConnectionFrame({ ...incoming, type: "pong" }));
        return this.charge(PRICES.frame);
      case "auth":
        this.#lifetime.renew(incoming.token);
        return this.charge(PRICES.auth);
    }
  }

  /** Takes the price of a frame that moves nothing forward, and closes when the client has sent too many of them. */
  charge(price: number, bytes?: number): void {
    if (!this.allowance.spend(price, bytes)) this.socket.close(4500);
  }

  /** To be called when the WebSocket has closed; aborts the exchanges in flight. */
  closed(code: number): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#lifetime.close();
    this.socket.closed();
    this.inFlight.cancelAll();
    this.memory.retire();
    this.#gone?.resolve();
    const { telemetry, clock } = this.#deps;
    telemetry.emit({
      type: "disconnected",
      connection: this.id,
      code: this.#closedWith ?? code,
      closedBy: this.#closedWith === undefined ? "client" : "server",
      exchanges: this.#exchanges,
      durationMs: roundMs(clock.now() - this.#openedAt),
    });
  }

  /** Announces the end: no exchange starts any more, and the connection closes once the last one in flight has ended. */
  drain(graceMs: number): void {
    if (!this.#isGone) this.#lifetime.drain(graceMs);
  }

  /** Ends every exchange in flight with an error, after {@linkcode Connection.drain}. */
  endGrace(): void {
    this.#lifetime.endGrace();
  }

  paused(): void {
    this.#deps.telemetry.emit({ type: "paused", connection: this.id });
  }

  closing(code: CloseCode): void {
    this.#closedWith = code;
    this.#lifetime.close();
    this.inFlight.cancelAll();
  }

  #greet(upstreams: readonly string[]): void {
    const text = this.dialect.encodeConnectionFrame({
      type: "hello",
      protocol: SUBPROTOCOL,
      server: this.#deps.server,
      connection: this.id,
      ...describeIdentity(this.identity),
      upstreams,
      limits: this.#deps.limits,
    });
    this.socket.send(() => text);
  }

  #start(id: ExchangeId, request: ProxyRequest, frameBytes: number): void {
    const { runner, wheel, telemetry, limits } = this.#deps;
    const sequence = ++this.#exchanges;
    const exchange = new Exchange({ request, id: toNumber(id), sequence }, this.#caller, wheel);
    const refusal = this.#lifetime.findRefusal() ??
      this.inFlight.findOverload(limits.maxInFlight) ?? this.memory.hold(exchange, frameBytes);
    if (refusal !== undefined) {
      this.#refuse(id, refusal, exchange);
      return this.charge(PRICES.refusal, frameBytes);
    }
    this.allowance.earn(EARNED_BY_EXCHANGE);
    const outlet = new FrameOutlet({ exchange, id }, this, this.#deps);
    this.inFlight.add(outlet);
    runner.run(exchange, outlet).then(() => this.#ended(outlet), (error) => {
      telemetry.emit({ type: "failed", connection: this.id, error });
      this.#ended(outlet);
    });
  }

  #ended(outlet: FrameOutlet): void {
    this.inFlight.delete(outlet);
    const { stage, record } = outlet.exchange;
    const isRefused = stage === "limit" && record.outcome === "error";
    if (isRefused) this.charge(EARNED_BY_EXCHANGE + PRICES.refusal);
    else if (record.outcome === "cancelled") this.charge(PRICES.cancelled);
    this.#lifetime.closeIfDone();
  }

  /** Refuses a message. If it is a chunk of an upload, the exchange fails: the body would have a gap. */
  #refuseMessage(data: string | ArrayBuffer, id: ExchangeId, error: ProxyError): void {
    const outlet = typeof data !== "string" && data.byteLength >= 4
      ? this.inFlight.find(new DataView(data).getUint32(0))
      : undefined;
    if (outlet !== undefined) {
      outlet.abort(error);
    } else if (id !== undefined) {
      // A malformed request that has an id is logged as an exchange that has failed.
      this.#refuse(id, error);
    } else {
      this.#deps.telemetry.emit({ type: "malformed", connection: this.id, code: error.code });
      this.#sendError(id, error);
    }
    if (error.code === "bad_frame" && ++this.#malformed >= MAX_MALFORMED) this.socket.close(4500);
    this.charge(PRICES.refusal, sizeOfMessage(data));
  }

  /** Refuses an exchange, or without `exchange` a request that could not be read. */
  #refuse(id: ExchangeId, error: ProxyError, exchange?: Exchange): void {
    const record = exchange?.record ??
      createRecord(this.#caller, { id: toNumber(id), sequence: ++this.#exchanges });
    this.#deps.runner.refuse(record, error, exchange?.request);
    this.#sendError(id, error, record);
  }

  #sendError(id: ExchangeId, error: ProxyError, record?: ExchangeRecord): void {
    const text = this.dialect.encodeError(id, error, record?.requestId);
    this.socket.send(() => text);
  }
}

/**
 * The WebSocket of a client: wraps Deno's, with its peculiarities of opening and closing.
 *
 * @module
 */
import type { Identity } from "../auth/authenticator.ts";
import type { Cancel, Clock } from "../clock.ts";
import type { Connection } from "../connection/connection.ts";
import { PRICES } from "../connection/frame_allowance.ts";
import type { ServerWebSocket, SocketMessage } from "../connection/socket.ts";
import type { Lease } from "../limits/limiter.ts";
import type { SUBPROTOCOL } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Admitted } from "./gate.ts";
import type { ReadingTurns } from "./reading_turns.ts";
import { TurnReader, type TurnReaderListener } from "./turn_reader.ts";

/** A client whose handshake is accepted. */
export interface AcceptedClient extends Admitted {
  readonly address: string;
  /** The selected subprotocol; `undefined` for the plain dialect. */
  readonly subprotocol: typeof SUBPROTOCOL | undefined;
  /** The service's place for the connection, to be disposed of when the connection has ended. */
  readonly place: Lease;
}

/** What all client sockets share. */
export interface ClientSocketDeps {
  /** Opens the connection of a client whose WebSocket has opened. */
  readonly openConnection: (socket: ClientSocket) => Connection;
  /** The connections of all sockets that are open or closing. Sockets add and delete their own. */
  readonly connections: Set<Connection>;
  readonly isDraining: () => boolean;
  readonly turns: ReadingTurns;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

// Deno sends a ping after half of this time without a frame, and closes the WebSocket after all of it.
const IDLE_TIMEOUT_SECONDS = 30;
// A WebSocket whose client disconnected before the response to its handshake fires no event, not even `close`.
const OPEN_TIMEOUT_MS = 2000;
// A client that does not answer a close frame by then is not waited for: TCP is ended.
const CLOSE_TIMEOUT_MS = 1000;
// Longer than the kernel keeps a connection whose other end is gone, about 16 minutes.
const LONGEST_END_MS = 20 * 60_000;
// The code of a connection that ended without a `close` event.
const NO_CLOSE_EVENT = 0;

/** Accepts a WebSocket handshake. Returns the response; the socket opens when the response was sent. */
export function acceptHandshake(
  request: Request,
  client: AcceptedClient,
  deps: ClientSocketDeps,
): Response {
  const { socket, response } = Deno.upgradeWebSocket(request, {
    idleTimeout: IDLE_TIMEOUT_SECONDS,
  });
  // Deno's own `protocol` option throws if the offer has no space, or two, after a comma.
  const { subprotocol } = client;
  if (subprotocol !== undefined) response.headers.set("sec-websocket-protocol", subprotocol);
  new ClientSocket(socket, client, deps);
  return response;
}

/**
 * The WebSocket of one client, from its handshake until both sides have closed; then its places are given back. A
 * class that is its own event listener: there are many idle connections, and each should cost one object.
 */
export class ClientSocket implements ServerWebSocket, EventListenerObject, TurnReaderListener {
  /** The connection's name in the log. */
  readonly id: string = crypto.randomUUID();
  readonly identity: Identity | undefined;
  readonly key: string;
  readonly subprotocol: AcceptedClient["subprotocol"];
  readonly #reader: TurnReader;
  readonly #address: string;
  readonly #identityPlace: Lease;
  readonly #servicePlace: Lease;
  readonly #deps: ClientSocketDeps;
  #connection: Connection | undefined = undefined;
  #cancelTimeout: Cancel | undefined = undefined;
  #isTerminated = false;
  /** Whether the reader calls when TCP has ended, and the `close` event may fire earlier. */
  #tellsEnd = false;
  #hasEnded = false;

  constructor(webSocket: WebSocket, client: AcceptedClient, deps: ClientSocketDeps) {
    this.identity = client.identity;
    this.key = client.key;
    this.subprotocol = client.subprotocol;
    this.#reader = new TurnReader(webSocket, this, deps.turns);
    this.#address = client.address;
    this.#identityPlace = client.lease;
    this.#servicePlace = client.place;
    this.#deps = deps;
    this.#after(OPEN_TIMEOUT_MS, () => this.#end(NO_CLOSE_EVENT));
    webSocket.binaryType = "arraybuffer";
    webSocket.addEventListener("open", this, { once: true });
    webSocket.addEventListener("message", this);
    webSocket.addEventListener("close", this, { once: true }); // follows every `error` event, too
  }

  get bufferedAmount(): number {
    return this.#isTerminated ? 0 : this.#reader.webSocket.bufferedAmount;
  }

  get readyState(): number {
    return this.#isTerminated ? WebSocket.CLOSED : this.#reader.webSocket.readyState;
  }

  send(message: SocketMessage): void {
    if (!this.#isTerminated) this.#reader.webSocket.send(message);
  }

  /** Starts the closing handshake. TCP is ended if that takes too long. */
  close(code?: number, reason?: string): void {
    if (this.#isTerminated) return;
    this.#reader.close(code, reason);
    this.#after(CLOSE_TIMEOUT_MS, () => this.terminate());
  }

  /**
   * Ends TCP within milliseconds without waiting for the client, even in the middle of a message, and sends no Close frame.
   * What was sent and has not left yet keeps TCP open until the client takes it; nothing is read any more. The places
   * are held until TCP has ended.
   */
  terminate(): void {
    if (this.#isTerminated || this.#hasEnded) return;
    this.#isTerminated = true;
    this.#cancelTimeout?.();
    this.#tellsEnd = this.#reader.terminate(() => this.#giveBack());
    if (!this.#tellsEnd) this.#after(LONGEST_END_MS, () => this.#giveBack());
    this.#disconnect(NO_CLOSE_EVENT);
  }

  /** Handles an event of the WebSocket. An exception in a listener would end the process. */
  handleEvent(event: Event): void {
    try {
      if (event instanceof MessageEvent) this.#receive(event.data);
      else if (event instanceof CloseEvent) this.#end(event.code);
      else this.#open();
    } catch (error) {
      this.#fail(error);
    }
  }

  pongsArrived(count: number): void {
    this.#connection?.charge(PRICES.frame * count);
  }

  messageWaits(bytes: number): void {
    this.#connection?.memory.messageWaits(bytes);
  }

  #receive(data: string | ArrayBuffer): void {
    this.#reader.take(data, () => this.#attempt(() => this.#connection?.receive(data)));
  }

  #open(): void {
    if (this.#hasEnded) return this.close(); // too late: its places were given back
    this.#cancelTimeout?.();
    this.#cancelTimeout = undefined;
    const { openConnection, connections, isDraining, telemetry } = this.#deps;
    telemetry.emit({
      type: "connected",
      connection: this.id,
      dialect: this.subprotocol ?? "plain",
      client: this.#address,
      ...(this.identity !== undefined && { identity: this.identity.subject }),
    });
    const connection = this.#connection = openConnection(this);
    connections.add(connection);
    if (isDraining()) connection.drain(0); // the drain started between the handshake and this event
  }

  #after(delayMs: number, action: () => void): void {
    this.#cancelTimeout?.();
    this.#cancelTimeout = this.#deps.clock.after(delayMs, () => this.#attempt(action));
  }

  /** Does what is called by a timer or in a later turn. An exception there would end the process. */
  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The WebSocket has ended, and TCP with it unless {@linkcode ClientSocket.terminate} waits for that. */
  #end(code: number): void {
    if (this.#tellsEnd) return;
    this.#giveBack();
    this.#disconnect(code);
  }

  #giveBack(): void {
    this.#hasEnded = true;
    this.#cancelTimeout?.();
    this.#cancelTimeout = undefined;
    this.#servicePlace[Symbol.dispose]();
    this.#identityPlace[Symbol.dispose]();
    this.#connection?.memory.close();
  }

  #disconnect(code: number): void {
    if (this.#connection === undefined) return;
    this.#deps.connections.delete(this.#connection);
    this.#connection.closed(code);
  }

  #fail(error: unknown): void {
    this.#deps.telemetry.emit({ type: "failed", connection: this.id, error });
    // A client without a connection would wait for a response forever.
    if (this.#connection === undefined && !this.#hasEnded) this.close();
  }
}

/**
 * The connection of the page: uses the client's dispatcher, keeps a connection open, reports its frames and explains
 * refused handshakes.
 *
 * @module
 */
import { createDispatcher, type Dispatcher } from "../client/dispatcher.ts";
import type { ExchangeQueue, QueuedExchange } from "../client/queued_exchange.ts";
import { type ClientWebSocket, openSocket, type WebSocketConstructor } from "../client/socket.ts";
import { type ClientStateHolder, createClientState } from "../client/state.ts";
import type { ClientTimers } from "../client/timers.ts";
import type { HelloFrame } from "../protocol/mod.ts";
import type { Direction, FrameData } from "./frame_log.ts";
import type { HandshakeOutcome, HandshakeProbe } from "./handshake.ts";
import { FINAL_REFUSALS } from "./help.ts";
import { observeSocket } from "./socket_observer.ts";

/** The state of the connection. */
export type SessionState =
  | { readonly type: "off" }
  | { readonly type: "connecting" }
  | { readonly type: "open" }
  /** The page reconnects after `delayMs` milliseconds. */
  | { readonly type: "waiting"; readonly delayMs: number }
  /** The handshake was refused; the page does not reconnect. */
  | { readonly type: "refused" }
  /** The service has closed the connection with a final code. */
  | { readonly type: "failed"; readonly code: number; readonly reason: string };

/** An event of a connection, for the log. */
export interface SessionEvent {
  /** The number of the connection. */
  readonly connection: number;
  readonly type: "opening" | "greeted" | "closed" | "refused";
  readonly text: string;
}

/** The connection of the page. */
export interface Session {
  readonly state: SessionState;
  /** The `hello` of the current connection; `undefined` until it arrives. */
  readonly hello: HelloFrame | undefined;
  /** Why the last handshake failed; `undefined` if it did not. */
  readonly handshakeOutcome: HandshakeOutcome | undefined;
  /** The number of the connection that new exchanges use. */
  readonly connection: number;
  /** Bytes that wait to be sent. */
  readonly bufferedBytes: number;
  readonly hasToken: boolean;
  /** The token, which must be kept out of history and links. */
  readonly secrets: readonly string[];
  /** Takes the exchanges to be sent. Connects if there is no connection. */
  readonly queue: ExchangeQueue;
  /** Connects with this token, or with the previous one if it is absent. `""` removes the token. */
  connect(token?: string): void;
  disconnect(): void;
}

/** The dependencies of a session and its listeners. */
export interface SessionDeps {
  readonly WebSocket: WebSocketConstructor;
  readonly timers: ClientTimers;
  /** Returns a number from 0 to less than 1. */
  random(): number;
  readonly probeHandshake: HandshakeProbe;
  /** Called before each frame is sent or delivered. */
  frame(connection: number, direction: Direction, data: FrameData): void;
  /** Called for each event of a connection. */
  happened(event: SessionEvent): void;
  /** Called when a property of the session has changed. */
  changed(): void;
}

/** Creates a {@linkcode Session} that is not connected. */
export function createSession(
  url: string,
  { WebSocket, timers, random, probeHandshake, frame, happened, changed }: SessionDeps,
): Session {
  let token: string | undefined;
  let state: SessionState = { type: "off" };
  let hello: HelloFrame | undefined;
  let handshakeOutcome: HandshakeOutcome | undefined;
  let connections = 0;
  /** The state of `dispatcher`. Callbacks compare it to find out whether they belong to a previous dispatcher. */
  let holder: ClientStateHolder | undefined;
  let dispatcher: Dispatcher | undefined;
  const sockets = new Set<ClientWebSocket>();

  function set(next: SessionState): void {
    state = next;
    changed();
  }

  /** Makes the dispatcher connect although there is no request. Withdrawn when `hello` arrives. */
  const connectRequest: QueuedExchange = {
    needsHello: true,
    begin: (id, connection) => connection.release(id),
    receive(): void {},
    fail(): void {},
    lose(): void {},
    abort(): void {},
  };

  async function open(): Promise<ClientWebSocket> {
    const connection = ++connections;
    const own = holder;
    happened({ connection, type: "opening", text: url });
    const socket = await openSocket(url, { token, WebSocket });
    sockets.add(socket);
    return observeSocket(socket, {
      frame(direction, data): void {
        frame(connection, direction, data);
        if (direction === "received" && typeof data === "string") {
          receiveText(connection, data, own);
        }
      },
      closed({ code, reason, wasOpen }): void {
        sockets.delete(socket);
        const text = `${code} ${reason}`.trim();
        happened({ connection, type: "closed", text: wasOpen ? text : "The handshake failed" });
        if (!wasOpen && own === holder) explainFailure(connection, own);
      },
    });
  }

  function receiveText(connection: number, text: string, own: ClientStateHolder | undefined): void {
    if (own !== holder || !text.startsWith('{"type":"hello"')) return;
    hello = JSON.parse(text) as HelloFrame; // the client validates it, and drops the connection if it is invalid
    handshakeOutcome = undefined;
    dispatcher?.withdraw(connectRequest);
    happened({ connection, type: "greeted", text: hello.server });
    changed();
  }

  async function explainFailure(
    connection: number,
    own: ClientStateHolder | undefined,
  ): Promise<void> {
    const outcome = await probeHandshake(token);
    if (own !== holder) return; // the session has reconnected or disconnected
    handshakeOutcome = outcome;
    if (outcome.type === "refused") {
      happened({ connection, type: "refused", text: `${outcome.code}: ${outcome.message}` });
    }
    if (outcome.type !== "refused" || !FINAL_REFUSALS.has(outcome.code)) return changed();
    stop();
    set({ type: "refused" });
  }

  function stop(): void {
    const stopped = dispatcher;
    dispatcher = holder = hello = undefined;
    void stopped?.close();
  }

  function start(): Dispatcher {
    const own = holder = createClientState();
    const started = dispatcher = createDispatcher({}, { open, timers, random, state: own });
    own.target.addEventListener("statechange", () => {
      if (own !== holder) return;
      const { current } = own;
      if (current.type === "idle") {
        // The connection was lost while no exchange needed it. The page keeps a connection open.
        hello = undefined;
        queueMicrotask(() => own === holder && started.submit(connectRequest));
      } else if (current.type === "connecting" || current.type === "waiting") hello = undefined;
      if (current.type !== "closed") {
        set(current.type === "idle" ? { type: "connecting" } : current);
      }
    });
    return started;
  }

  return {
    get state(): SessionState {
      return state;
    },
    get hello(): HelloFrame | undefined {
      return hello;
    },
    get handshakeOutcome(): HandshakeOutcome | undefined {
      return handshakeOutcome;
    },
    get connection(): number {
      return connections;
    },
    get bufferedBytes(): number {
      let bytes = 0;
      // The platform's WebSocket has this property, which the client does not use.
      for (const socket of sockets) bytes += (socket as Partial<WebSocket>).bufferedAmount ?? 0;
      return bytes;
    },
    get hasToken(): boolean {
      return token !== undefined;
    },
    get secrets(): readonly string[] {
      return token === undefined ? [] : [token];
    },
    queue: {
      submit: (exchange) => (dispatcher ?? start()).submit(exchange),
      resubmit: (exchange, isServerBusy) =>
        (dispatcher ?? start()).resubmit(exchange, isServerBusy),
      withdraw: (exchange) => dispatcher?.withdraw(exchange),
    },
    connect(next): void {
      if (next !== undefined) token = next === "" ? undefined : next;
      stop();
      handshakeOutcome = undefined;
      set({ type: "connecting" });
      start().submit(connectRequest);
    },
    disconnect(): void {
      stop();
      handshakeOutcome = undefined;
      set({ type: "off" });
    },
  };
}

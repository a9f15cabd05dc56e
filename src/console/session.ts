/**
 * The page's connection: the client's own transport, kept open, with its frames told and its refusals explained.
 *
 * @module
 */
import { createDispatcher, type Dispatcher } from "../client/dispatcher.ts";
import type { ExchangeQueue, QueuedExchange } from "../client/queued_exchange.ts";
import { type ClientWebSocket, openSocket, type WebSocketConstructor } from "../client/socket.ts";
import { type ClientStateHolder, createClientState } from "../client/state.ts";
import type { ClientTimers } from "../client/timers.ts";
import type { HelloFrame } from "../protocol/mod.ts";
import type { Direction, Message } from "./frame_log.ts";
import type { CheckHandshake, Verdict } from "./handshake.ts";
import { FINAL_REFUSALS } from "./help.ts";
import { recordSocket } from "./recorder.ts";

/** What the connection does. */
export type SessionState =
  | { readonly type: "off" }
  | { readonly type: "connecting" }
  | { readonly type: "open" }
  /** It is tried again in so many milliseconds. */
  | { readonly type: "waiting"; readonly delayMs: number }
  /** It is not tried again. */
  | { readonly type: "refused" }
  | { readonly type: "failed"; readonly code: number; readonly reason: string };

/** Something that happened to the connection. */
export interface SessionEvent {
  readonly connection: number;
  readonly type: "opening" | "greeted" | "closed" | "refused";
  readonly text: string;
}

/** The page's connection. */
export interface Session {
  readonly state: SessionState;
  /** What the service said first; `undefined`: not yet, on this connection. */
  readonly hello: HelloFrame | undefined;
  /** Why the last handshake failed; `undefined`: it did not. */
  readonly verdict: Verdict | undefined;
  /** The number of the connection that new exchanges go to. */
  readonly connection: number;
  /** Bytes that wait to be sent. */
  readonly bufferedBytes: number;
  readonly hasToken: boolean;
  /** The credential, for nothing but keeping it out of what is stored. */
  readonly secrets: readonly string[];
  readonly queue: ExchangeQueue;
  /** Connects, with another credential where one is given; `""` takes it away. */
  connect(token?: string): void;
  disconnect(): void;
}

/** How to connect. */
export interface SessionOptions {
  readonly url: string;
}

/** What a session needs, and whom it tells. */
export interface SessionDeps {
  readonly WebSocket: WebSocketConstructor;
  readonly timers: ClientTimers;
  /** Gives a number from 0 to less than 1. */
  random(): number;
  readonly checkHandshake: CheckHandshake;
  frame(connection: number, direction: Direction, message: Message): void;
  happened(event: SessionEvent): void;
  changed(): void;
}

/** Creates a {@linkcode Session}, not connected. */
export function createSession(
  { url }: SessionOptions,
  { WebSocket, timers, random, checkHandshake, frame, happened, changed }: SessionDeps,
): Session {
  let token: string | undefined;
  let state: SessionState = { type: "off" };
  let hello: HelloFrame | undefined;
  let verdict: Verdict | undefined;
  let connections = 0;
  let holder: ClientStateHolder | undefined;
  let dispatcher: Dispatcher | undefined;
  const sockets = new Set<ClientWebSocket>();

  function set(next: SessionState): void {
    state = next;
    changed();
  }

  /** Wants a connection and nothing on it: withdrawn when there is one. */
  const greeting: QueuedExchange = {
    needsHello: true,
    begin: (id, connection) => connection.release(id),
    receive(): void {},
    fail(): void {},
    lose(): void {},
    abort(): void {},
  };

  async function open(): Promise<ClientWebSocket> {
    const connection = ++connections;
    const mine = holder;
    happened({ connection, type: "opening", text: url });
    const socket = await openSocket(url, { token, WebSocket });
    sockets.add(socket);
    return recordSocket(socket, {
      frame(direction, message): void {
        frame(connection, direction, message);
        if (direction === "received" && typeof message === "string") {
          greet(connection, message, mine);
        }
      },
      closed({ code, reason, wasOpen }): void {
        sockets.delete(socket);
        const text = `${code} ${reason}`.trim();
        happened({ connection, type: "closed", text: wasOpen ? text : "The handshake failed" });
        if (!wasOpen && mine === holder) explain(connection, mine);
      },
    });
  }

  function greet(connection: number, text: string, mine: ClientStateHolder | undefined): void {
    if (mine !== holder || !text.startsWith('{"type":"hello"')) return;
    hello = JSON.parse(text) as HelloFrame; // the client checks it, and drops the connection if it is none
    verdict = undefined;
    dispatcher?.withdraw(greeting);
    happened({ connection, type: "greeted", text: hello.server });
    changed();
  }

  async function explain(connection: number, mine: ClientStateHolder | undefined): Promise<void> {
    const found = await checkHandshake(token);
    if (mine !== holder) return; // another attempt has begun meanwhile
    verdict = found;
    if (found.type === "refused") {
      happened({ connection, type: "refused", text: `${found.code}: ${found.message}` });
    }
    if (found.type !== "refused" || !FINAL_REFUSALS.has(found.code)) return changed();
    stop();
    set({ type: "refused" });
  }

  function stop(): void {
    const left = dispatcher;
    dispatcher = holder = hello = undefined;
    void left?.close();
  }

  function start(): Dispatcher {
    const mine = holder = createClientState();
    const started = dispatcher = createDispatcher({}, {
      open,
      timers,
      random,
      state: mine,
    });
    mine.target.addEventListener("statechange", () => {
      if (mine !== holder) return;
      const { current } = mine;
      if (current.type === "idle") {
        // It was lost while nothing needed it; this page keeps one open.
        hello = undefined;
        queueMicrotask(() => mine === holder && started.submit(greeting));
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
    get verdict(): Verdict | undefined {
      return verdict;
    },
    get connection(): number {
      return connections;
    },
    get bufferedBytes(): number {
      let bytes = 0;
      // The platform's have it; the client needs less of a WebSocket.
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
      verdict = undefined;
      set({ type: "connecting" });
      start().submit(greeting);
    },
    disconnect(): void {
      stop();
      verdict = undefined;
      set({ type: "off" });
    },
  };
}

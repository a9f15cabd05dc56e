/**
 * The client: `fetch` through a wsfetch service.
 *
 * @module
 */
import { createEvents, type Events } from "./events.ts";
import { createFetch, type Fetch } from "./fetch.ts";
import {
  openSocket,
  type Token,
  toSocketUrl,
  type WebSocketConstructor,
  type WebSocketLike,
} from "./socket.ts";
import { type ClientEventMap, type ClientState, createState } from "./state.ts";
import { platformTimers, type Timers } from "./timers.ts";
import { createTransport, type TransportOptions } from "./transport.ts";

/** How a client connects. */
export interface ClientOptions extends TransportOptions {
  /** A credential, or a function that is asked for one whenever a connection is opened. */
  readonly token?: Token;
  /** Where the platform has none (Node.js 20): that of the npm package `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  /** How many bytes of a response's body may come before they are read. Default 262,144. */
  readonly windowBytes?: number;
}

/** What tests replace. */
export interface ClientDeps {
  readonly timers?: Timers;
  /** Gives a number from 0 to less than 1. */
  readonly random?: () => number;
  /** The id of a connection's first exchange. */
  readonly firstId?: number;
}

/** A connection to a wsfetch service, opened on first use and kept. */
export interface Client extends AsyncDisposable {
  /**
   * Fetches as the platform's `fetch` does, with these differences: `redirect: "manual"` gives the redirect itself,
   * with status and headers, and not an opaque one; `mode`, `credentials`, `cache`, `integrity`, `keepalive` and
   * `referrer` have no effect. In a browser the headers that `fetch` forbids are dropped here too. A body that is
   * not read to its end has to be cancelled, or it holds its place among those in flight.
   *
   * @throws {TypeError} where `fetch` does; its `cause` is a `ProxyError` with `code`, `retryable` and `sent`.
   * @throws The reason of the signal.
   */
  readonly fetch: Fetch;
  /**
   * Iterates over server-sent events. When the stream ends or breaks and the request may be repeated (GET), it is
   * opened again with `Last-Event-ID`, after the time that the server has set, or 3 s; else the iteration ends.
   *
   * @throws {TypeError} when the answer is not 200 and an event stream, or the failure is not one that passes.
   * @throws The reason of the signal.
   */
  readonly events: Events;
  /** What the client is doing now. */
  readonly state: ClientState;
  /** Listens to the client. */
  addEventListener<K extends keyof ClientEventMap>(
    type: K,
    listener: (event: ClientEventMap[K]) => void,
    options?: AddEventListenerOptions | boolean,
  ): void;
  /** Listens no more. */
  removeEventListener<K extends keyof ClientEventMap>(
    type: K,
    listener: (event: ClientEventMap[K]) => void,
    options?: EventListenerOptions | boolean,
  ): void;
  /** Rejects what is in flight and every later call; fulfils when the connection has closed. */
  close(): Promise<void>;
}

/**
 * Creates a client of the service at `url`.
 *
 * @throws {TypeError} `url` is not the URL of a WebSocket, or the platform has no WebSocket.
 *
 * @example
 * ```ts
 * import { createClient } from "./mod.ts";
 *
 * async function listItems(): Promise<unknown> {
 *   await using client = createClient("wss://proxy.example/ws", { token: "secret" });
 *   const response = await client.fetch("https://api.example.com/items");
 *   return await response.json();
 * }
 * ```
 */
export function createClient(
  url: string | URL,
  options: ClientOptions = {},
  { timers = platformTimers, random = Math.random, firstId }: ClientDeps = {},
): Client {
  const {
    token,
    WebSocket = globalThis.WebSocket as WebSocketConstructor | undefined,
    windowBytes = 262_144,
    ...rest
  } = options;
  if (WebSocket === undefined) {
    throw new TypeError('Give a "WebSocket", the platform has none');
  }
  const socket = { url: toSocketUrl(url), token, WebSocket };
  const state = createState();
  const { target } = state;
  const open = (): Promise<WebSocketLike> => openSocket(socket);
  const transport = createTransport(rest, { open, timers, random, state, firstId });
  return {
    fetch: createFetch({ transport, windowBytes }),
    events: createEvents({ transport, timers }),
    get state(): ClientState {
      return state.current;
    },
    // EventTarget knows no types: these are the ones that createState() dispatches.
    addEventListener: target.addEventListener.bind(target) as Client["addEventListener"],
    removeEventListener: target.removeEventListener.bind(target) as Client["removeEventListener"],
    close: transport.close,
    [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]: transport.close,
  } as Client; // a computed key is lost on the compiler
}

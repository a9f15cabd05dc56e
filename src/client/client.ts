/**
 * The client of a wsfetch service.
 *
 * @module
 */
import { createDispatcher } from "./dispatcher.ts";
import { createEvents, type Events } from "./events.ts";
import { createFetch, type Fetch } from "./fetch.ts";
import type { ClientDeps, ClientOptions } from "./options.ts";
import { openSocket, toSocketUrl, type WebSocketConstructor } from "./socket.ts";
import { type ClientEventMap, type ClientState, createClientState } from "./state.ts";
import { platformTimers } from "./timers.ts";

/** A connection to a wsfetch service, opened on first use and kept open. */
export interface Client extends AsyncDisposable {
  /**
   * Fetches like the platform's `fetch`, with these differences: `redirect: "manual"` returns the redirect response
   * with its status and headers instead of an opaque one; `mode`, `credentials`, `cache`, `integrity`, `keepalive` and
   * `referrer` have no effect. In browsers, headers that `fetch` forbids are dropped here too. Read each body to its
   * end or cancel it: until then its request counts as in flight.
   *
   * @throws {TypeError} where `fetch` does; `cause` is a `ProxyError` with `code`, `retryable` and `sent`.
   * @throws The reason of the signal.
   */
  readonly fetch: Fetch;
  /**
   * Iterates over server-sent events. When the stream ends or fails, an idempotent request (GET) is sent again with
   * `Last-Event-ID`, after the delay that the server has set, or 3 s. With other methods the iteration ends.
   *
   * @throws {TypeError} The response is not an event stream with status 200, or the failure is not retryable.
   * @throws The reason of the signal.
   */
  readonly events: Events;
  /** The current state. */
  readonly state: ClientState;
  /** Adds a listener. */
  addEventListener<K extends keyof ClientEventMap>(
    type: K,
    listener: (event: ClientEventMap[K]) => void,
    options?: AddEventListenerOptions | boolean,
  ): void;
  /** Removes a listener. */
  removeEventListener<K extends keyof ClientEventMap>(
    type: K,
    listener: (event: ClientEventMap[K]) => void,
    options?: EventListenerOptions | boolean,
  ): void;
  /** Rejects calls in flight and all later calls. Fulfils when the connection has closed. */
  close(): Promise<void>;
}

/**
 * Creates a client of the service at `url`.
 *
 * @throws {TypeError} `url` is not the URL of a WebSocket, or there is no WebSocket class.
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
  } = options;
  if (WebSocket === undefined) {
    throw new TypeError('This platform has no WebSocket; pass a class as option "WebSocket"');
  }
  const socketUrl = toSocketUrl(url);
  const state = createClientState();
  const { target } = state;
  const dispatcher = createDispatcher(options, {
    open: () => openSocket(socketUrl, { token, WebSocket }),
    timers,
    random,
    state,
    firstId,
  });
  return {
    fetch: createFetch(dispatcher, { windowBytes, timers }),
    events: createEvents(dispatcher, { timers }),
    get state(): ClientState {
      return state.current;
    },
    // EventTarget is untyped; createClientState() dispatches only events of ClientEventMap.
    addEventListener: target.addEventListener.bind(target) as Client["addEventListener"],
    removeEventListener: target.removeEventListener.bind(target) as Client["removeEventListener"],
    close: dispatcher.close,
    [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]: dispatcher.close,
  } as Client; // the compiler does not see the computed key
}

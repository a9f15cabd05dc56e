/**
 * The options of a client.
 *
 * @module
 */
import type { BackoffOptions } from "./reconnection.ts";
import type { Token, WebSocketConstructor } from "./socket.ts";
import type { ClientTimers } from "./timers.ts";

/** How a client connects. */
export interface ClientOptions {
  /** A credential, or a function that is called for one each time a connection is opened. */
  readonly token?: Token;
  /** The WebSocket class. Required where the platform has none (Node.js 20): pass that of the npm package `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  /** How many bytes of a response body may arrive before they are read. Default 262,144. */
  readonly windowBytes?: number;
  /** How long the server may take to accept a connection and send `hello`, in milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds between pings while requests are in flight. Default 20,000. */
  readonly pingIntervalMs?: number;
  /** How long after a ping a silent connection is considered lost, in milliseconds. Default 10,000. */
  readonly pongTimeoutMs?: number;
  /** How long the client waits before it reconnects. */
  readonly backoff?: BackoffOptions;
}

/** The dependencies of a client that tests replace. */
export interface ClientDeps {
  readonly timers?: ClientTimers;
  /** Returns a number from 0 to less than 1. */
  readonly random?: () => number;
  /** The id of the first exchange of each connection. Default 1. */
  readonly firstId?: number;
}

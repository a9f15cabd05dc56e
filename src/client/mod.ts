/**
 * The wsfetch client: `fetch` through a WebSocket, in browsers, Deno and Node.js.
 *
 * @module
 */
export { ProxyError } from "../protocol/mod.ts";
export type { ErrorCode, ProxyErrorOptions, Sent } from "../protocol/mod.ts";
export type { BackoffOptions } from "./backoff.ts";
export { createClient } from "./client.ts";
export type { Client, ClientDeps, ClientOptions } from "./client.ts";
export type { Events, ServerSentEvent } from "./events.ts";
export type { Fetch } from "./fetch.ts";
export type { FetchInit, FetchInput, WsfetchInit } from "./request.ts";
export type { Token, WebSocketConstructor, WebSocketEvent, WebSocketLike } from "./socket.ts";
export type { ClientEventMap, ClientState } from "./state.ts";
export type { Timers } from "./timers.ts";

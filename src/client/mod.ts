/**
 * The wsfetch client: `fetch` through a WebSocket, in browsers, Deno and Node.js.
 *
 * @module
 */
export { ProxyError } from "../protocol/mod.ts";
export type { ErrorCode, ProxyErrorOptions, Sent } from "../protocol/mod.ts";
export { createClient } from "./client.ts";
export type { Client } from "./client.ts";
export type { Events, ServerSentEvent } from "./events.ts";
export type { Fetch } from "./fetch.ts";
export type { ClientDeps, ClientOptions } from "./options.ts";
export type { BackoffOptions } from "./reconnection.ts";
export type { FetchInit, FetchInput, WsfetchInit } from "./request.ts";
export type { ClientWebSocket, Token, WebSocketConstructor, WebSocketEvent } from "./socket.ts";
export type { ClientEventMap, ClientState } from "./state.ts";
export type { ClientTimers } from "./timers.ts";

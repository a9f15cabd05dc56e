/**
 * The WebSocket that a client is built on, and how it is opened.
 *
 * @module
 */
import { encodeBearerProtocol, SUBPROTOCOL } from "../protocol/mod.ts";

/** What the client needs of a WebSocket: the platform's, or that of the npm package `ws`. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  // A method, so that the platform's WebSocket, which says more of the event, is one of these.
  addEventListener(
    type: "open" | "message" | "close" | "error",
    listener: (event: WebSocketEvent) => void,
  ): void;
}

/** What an event of a {@linkcode WebSocketLike} may have. */
export interface WebSocketEvent {
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

/** Opens a connection. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** A credential, or a function that is asked for one whenever a connection is opened. */
export type Token = string | (() => string | undefined | Promise<string | undefined>);

/** `WebSocket.OPEN` */
export const OPEN = 1;

/** Where and how to connect. */
export interface SocketOptions {
  readonly url: string;
  readonly token: Token | undefined;
  readonly WebSocket: WebSocketConstructor;
}

/** Opens a WebSocket with the token as a second subprotocol, since a browser sends no header. */
export async function openSocket(
  { url, token, WebSocket }: SocketOptions,
): Promise<WebSocketLike> {
  const value = typeof token === "function" ? await token() : token;
  const protocols = value === undefined ? [] : [encodeBearerProtocol(value)];
  const socket = new WebSocket(url, [SUBPROTOCOL, ...protocols]);
  socket.binaryType = "arraybuffer";
  return socket;
}

/**
 * Gives the URL of the service: absolute or, in a page, relative; `http` stands for `ws`.
 *
 * @throws {TypeError} It is no URL of a WebSocket.
 */
export function toSocketUrl(url: string | URL): string {
  const absolute = new URL(url, globalThis.location?.href);
  absolute.protocol = absolute.protocol.replace(/^http/, "ws");
  if (/^wss?:$/.test(absolute.protocol)) return absolute.href;
  throw new TypeError(`"${url}" is not a URL like "wss://host/ws"`);
}

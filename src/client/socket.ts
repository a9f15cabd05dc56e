/**
 * The WebSocket of a client, and how it is opened.
 *
 * @module
 */
import { encodeBearerProtocol, SUBPROTOCOL } from "../protocol/mod.ts";

/** The part of a WebSocket that the client uses. The platform's class has it, and that of the npm package `ws`. */
export interface ClientWebSocket {
  binaryType: string;
  readonly readyState: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  // A method, not a property: the platform's WebSocket, whose events have more members, is assignable to it.
  addEventListener(
    type: "open" | "message" | "close" | "error",
    listener: (event: WebSocketEvent) => void,
  ): void;
}

/** An event of a {@linkcode ClientWebSocket}. */
export interface WebSocketEvent {
  /** Of `message`: a string or an `ArrayBuffer`. */
  readonly data?: unknown;
  /** Of `close`. */
  readonly code?: number;
  /** Of `close`. */
  readonly reason?: string;
}

/** The class of a WebSocket. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => ClientWebSocket;

/** A credential, or a function that is called for one each time a connection is opened. */
export type Token = string | (() => string | undefined | Promise<string | undefined>);

/** `WebSocket.OPEN` */
export const OPEN = 1;

/** Opens a WebSocket. The token is offered as a second subprotocol, since browsers cannot send a header. */
export async function openSocket(
  url: string,
  { token, WebSocket }: {
    readonly token: Token | undefined;
    readonly WebSocket: WebSocketConstructor;
  },
): Promise<ClientWebSocket> {
  const value = typeof token === "function" ? await token() : token;
  const protocols = value === undefined ? [] : [encodeBearerProtocol(value)];
  const socket = new WebSocket(url, [SUBPROTOCOL, ...protocols]);
  socket.binaryType = "arraybuffer";
  return socket;
}

/**
 * Returns the WebSocket URL of a service. In a page, `url` may be relative. `http` becomes `ws`, `https` becomes `wss`.
 *
 * @throws {TypeError} `url` is invalid or has another scheme.
 */
export function toSocketUrl(url: string | URL): string {
  const absolute = new URL(url, globalThis.location?.href);
  absolute.protocol = absolute.protocol.replace(/^http/, "ws");
  if (/^wss?:$/.test(absolute.protocol)) return absolute.href;
  throw new TypeError(`"${url}" is not a URL like "wss://host/ws"`);
}

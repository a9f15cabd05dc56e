/**
 * The frames of wsfetch.v1 as TypeScript sees them: what a client may send and what a server answers.
 * PROTOCOL.md, beside this file, says what each one means.
 *
 * @module
 */
import type { ErrorFrame } from "./errors.ts";

/** The WebSocket subprotocol (RFC 6455 §1.9) that selects this protocol. */
export const SUBPROTOCOL = "wsfetch.v1";

/** The largest `id` of an exchange: an unsigned 32-bit integer. */
export const MAX_ID = 0xffff_ffff;

/** What to do with a redirect, as in the Fetch standard's `Request.redirect`. */
export type RedirectMode = "follow" | "manual" | "error";

/** A value of a query parameter. */
export type QueryValue = string | number | boolean;

/** Header fields; a repeated name is a repeated pair. In a response fetch has sorted and joined them. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/**
 * How the response's body comes: `false` (default): whole, in the response frame; `true`: in binary chunks;
 * `events`: a frame for each server-sent event; `lines`: a frame for each line.
 */
export type StreamMode = boolean | "events" | "lines";

/** Asks the server to make an HTTP request; starts the exchange `id`. */
export interface RequestFrame {
  readonly type: "request";
  /** 1 to {@linkcode MAX_ID}, not the `id` of another exchange in flight. */
  readonly id: number;
  /** An absolute http or https URL, or `name:/path` for a named upstream. */
  readonly url?: string;
  /** Instead of `url`: a named upstream… */
  readonly upstream?: string;
  /** …and a path, with its query, below the upstream's base URL; begins with `/`. */
  readonly path?: string;
  /** Default `GET`; made upper-case. */
  readonly method?: string;
  readonly headers?: HeaderPairs | Readonly<Record<string, string>>;
  /** Appended to the query of the URL; a list repeats its name. */
  readonly query?: Readonly<Record<string, QueryValue | readonly QueryValue[]>>;
  /** A JSON body, sent byte for byte as it stands in the frame. */
  readonly json?: unknown;
  /** A body sent as UTF-8. */
  readonly text?: string;
  /** A body of any bytes. */
  readonly base64?: string;
  /** The body comes in binary chunks, the last with FIN. */
  readonly bodyFollows?: true;
  /**
   * Milliseconds for the whole response, or with `stream` for its head; while a body follows, since the
   * upstream took the last of it. Default and maximum are the server's.
   */
  readonly timeoutMs?: number;
  /** Default `follow`. */
  readonly redirect?: RedirectMode;
  readonly stream?: StreamMode;
  /** With `stream: true`: credit in payload bytes to start with. Absent: no credit is needed. */
  readonly windowBytes?: number;
}

/** Ends the exchange `id`; nothing more comes for it. */
export interface CancelFrame {
  readonly type: "cancel";
  readonly id: number;
}

/** Asks for a {@linkcode PongFrame}, for clients that cannot send WebSocket pings. */
export interface PingFrame {
  readonly type: "ping";
  readonly data?: string;
}

/**
 * Credit in payload bytes of chunks: from the client for a download that began with `windowBytes`, from the
 * server for an upload.
 */
export interface GrantFrame {
  readonly type: "grant";
  readonly id: number;
  /** 1 to 2^53 - 1. */
  readonly bytes: number;
}

/** Renews the credential of the connection in place; the identity stays what it was. */
export interface AuthFrame {
  readonly type: "auth";
  readonly token: string;
}

/** Every frame that a client may send, told apart by `type`; binary chunks stand beside them. */
export type ClientFrame = RequestFrame | CancelFrame | GrantFrame | PingFrame | AuthFrame;

/** What the server enforces; see {@linkcode HelloFrame}. */
export interface Limits {
  /** Bytes of one text frame from the client. */
  readonly maxFrameBytes: number;
  /** Exchanges of one connection at a time, and no more of one identity. */
  readonly maxInFlight: number;
  /** Bytes of one request body. */
  readonly maxRequestBytes: number;
  /** Bytes of one buffered response body, decoded. */
  readonly maxResponseBytes: number;
  /** Largest `timeoutMs`, in milliseconds. */
  readonly maxTimeoutMs: number;
  /** Credit in payload bytes that every upload starts with. */
  readonly windowBytes: number;
  /** Connections of one identity at a time; absent: no limit, as with those below. */
  readonly maxConnections?: number;
  /** Requests of one identity. */
  readonly requestsPerSecond?: number;
  /** Requests of one identity beyond that, within 10 seconds. */
  readonly requestBurst?: number;
  /** Bytes of response bodies to one identity. */
  readonly bytesPerMinute?: number;
}

/** The server's first frame. */
export interface HelloFrame {
  readonly type: "hello";
  readonly protocol: typeof SUBPROTOCOL;
  /** Name and version, as in `wsfetch/0.1.0`. */
  readonly server: string;
  /** This connection's name in the server's log. */
  readonly connection: string;
  /** Who the connection was authenticated as. */
  readonly identity: string | null;
  /** When the credential ends (RFC 3339), or `null`. */
  readonly expiresAt: string | null;
  /** Named upstreams that this identity may use. */
  readonly upstreams: readonly string[];
  readonly limits: Limits;
}

/** How long an exchange took, in milliseconds. */
export interface Timing {
  /** From the request frame until the request was made: for limits, and for a place at an upstream. */
  readonly queueMs?: number;
  /** In that which follows, for looking up hosts; absent: none had to be. */
  readonly dnsMs?: number;
  /** From the request frame to the response head. */
  readonly waitMs: number;
  /** From the response head to the end of the body; absent: the body follows. */
  readonly transferMs?: number;
  /** From the request frame to the response frame. */
  readonly totalMs: number;
}

/**
 * An upstream's response. At most one of `json`, `text`, `base64` and `stream`; without `stream` it ends the
 * exchange.
 */
export interface ResponseFrame {
  readonly type: "response";
  readonly id: number;
  /** The exchange's name in the server's log. */
  readonly requestId?: string;
  readonly status: number;
  readonly statusText: string;
  /** Of the last hop, without its fragment. */
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: HeaderPairs;
  readonly timing: Timing;
  /** The body follows: in chunks, the last with FIN, or in event frames and an end frame. */
  readonly stream?: true;
  readonly json?: unknown;
  readonly text?: string;
  readonly base64?: string;
}

/** A server-sent event, or a line, of a streamed response. */
export interface EventFrame {
  readonly type: "event";
  readonly id: number;
  /** The event's type, `message` unless it names one; `line` for a line. */
  readonly event: string;
  readonly data: string;
  readonly lastEventId?: string;
  /** The reconnection time that the event sets, in milliseconds. */
  readonly retryMs?: number;
}

/** Ends an exchange whose response came in event frames. */
export interface EndFrame {
  readonly type: "end";
  readonly id: number;
}

/** The answer to {@linkcode PingFrame}, with the same `data`. */
export interface PongFrame {
  readonly type: "pong";
  readonly data?: string;
}

/** The answer to {@linkcode AuthFrame}: the credential counts from now on. */
export interface AuthenticatedFrame {
  readonly type: "authenticated";
  readonly identity: string | null;
  /** When the credential ends (RFC 3339); `null`: never. */
  readonly expiresAt: string | null;
}

/** The server drains: no new exchange begins, those in flight have `graceMs` to finish. */
export interface GoawayFrame {
  readonly type: "goaway";
  readonly graceMs: number;
}

/** Every frame that a server sends, told apart by `type`. */
export type ServerFrame =
  | HelloFrame
  | ResponseFrame
  | EventFrame
  | EndFrame
  | GrantFrame
  | ErrorFrame
  | PongFrame
  | AuthenticatedFrame
  | GoawayFrame;

/**
 * The types of all wsfetch.v1 frames. PROTOCOL.md, in the same folder, describes what each frame means.
 *
 * @module
 */
import type { ErrorFrame } from "./errors.ts";

/** The WebSocket subprotocol (RFC 6455 §1.9) that selects this protocol. */
export const SUBPROTOCOL = "wsfetch.v1";

/** The largest `id` of an exchange: the largest unsigned 32-bit integer. */
export const MAX_ID = 0xffff_ffff;

/** How to handle a redirect, as `Request.redirect` of the Fetch standard. */
export type RedirectMode = "follow" | "manual" | "error";

/** The value of a query parameter. */
export type QueryValue = string | number | boolean;

/** Query parameters; a list repeats the name of the parameter for each value. */
export type Query = Readonly<Record<string, QueryValue | readonly QueryValue[]>>;

/** Header fields as a list of pairs; a repeated field is a repeated pair. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/** Header fields as a client may write them: a list of pairs, or an object. */
export type HeaderFields = HeaderPairs | Readonly<Record<string, string>>;

/**
 * How the server sends the body of a response. `false`: whole, in the response frame; `true`: in binary
 * chunks; `events`: each server-sent event in a frame; `lines`: each line in a frame.
 */
export type StreamMode = boolean | "events" | "lines";

/** Asks the server to make an HTTP request; starts the exchange `id`. */
export interface RequestFrame {
  readonly type: "request";
  /** An integer from 1 to {@linkcode MAX_ID} that no other exchange in flight has. */
  readonly id: number;
  /** An absolute http or https URL, or `name:/path` for a path below a named upstream. */
  readonly url?: string;
  /** The name of an upstream; with `path`, instead of `url`. */
  readonly upstream?: string;
  /** A path below the base URL of the upstream, with its query; begins with `/`. */
  readonly path?: string;
  /** The HTTP method; the server converts it to upper case. Default: `GET`. */
  readonly method?: string;
  /** The header fields of the request. */
  readonly headers?: HeaderFields;
  /** Parameters to append to the query of the URL. */
  readonly query?: Query;
  /** A JSON body; the server sends it byte for byte as it stands in the frame. */
  readonly json?: unknown;
  /** A text body; the server sends it in UTF-8. */
  readonly text?: string;
  /** A body of arbitrary bytes in base64 (RFC 4648 §4). */
  readonly base64?: string;
  /** The body follows in binary chunks, the last of them with FIN. */
  readonly bodyFollows?: true;
  /**
   * The time limit in milliseconds for the whole response, or with `stream` for its head. With `bodyFollows`
   * the time starts again after each chunk until the destination has taken the last one. The server
   * sets the default and the maximum.
   */
  readonly timeoutMs?: number;
  /** How to handle redirects. Default: `follow`. */
  readonly redirect?: RedirectMode;
  /**
   * Whether the server decodes the content codings of the response, so that its body and fields are those of the
   * decoded body. Default: `true`.
   */
  readonly decode?: boolean;
  /** How to send the body of the response. Default: `false`. */
  readonly stream?: StreamMode;
  /** With `stream: true`: the initial credit in payload bytes. Absent: the server needs no credit. */
  readonly windowBytes?: number;
}

/** Cancels the exchange `id`; the server sends nothing more for it. */
export interface CancelFrame {
  readonly type: "cancel";
  /** The id of the exchange. */
  readonly id: number;
}

/** Asks for a {@linkcode PongFrame}; for clients that cannot send WebSocket pings. */
export interface PingFrame {
  readonly type: "ping";
  /** A text that the server returns in its {@linkcode PongFrame}. */
  readonly data?: string;
}

/**
 * Allows the other end to send more payload bytes of chunks: from a client, for a download that began with
 * `windowBytes`; from a server, for an upload.
 */
export interface GrantFrame {
  readonly type: "grant";
  /** The id of the exchange. */
  readonly id: number;
  /** The additional credit in payload bytes, from 1 to 2^53 - 1. */
  readonly bytes: number;
}

/** Replaces the credential of the connection; the identity must stay the same. */
export interface AuthFrame {
  readonly type: "auth";
  /** A bearer token, as it would stand in `Authorization` after `Bearer`. */
  readonly token: string;
}

/** Every text frame that a client may send, distinguished by `type`. Chunks are binary messages. */
export type ClientFrame = RequestFrame | CancelFrame | GrantFrame | PingFrame | AuthFrame;

/** The limits that the server enforces; see {@linkcode HelloFrame}. */
export interface Limits {
  /** Bytes of one message from the client. */
  readonly maxFrameBytes: number;
  /** Exchanges in flight on one connection, and in total for one identity. */
  readonly maxInFlight: number;
  /** Bytes of one request body inside its frame. */
  readonly maxRequestBytes: number;
  /** Bytes of one response body inside its frame, decoded; characters of one event. */
  readonly maxResponseBytes: number;
  /** Largest `timeoutMs` of a request. */
  readonly maxTimeoutMs: number;
  /** Initial credit of every upload, in payload bytes. */
  readonly windowBytes: number;
  /** Bytes of bodies and frames that the server keeps for one connection; beyond it, exchanges wait. */
  readonly maxKeptBytes: number;
  /** Connections of one identity at a time. Absent: no limit, as for the members below. */
  readonly maxConnections?: number;
  /** Requests of one identity per second, on average. */
  readonly requestsPerSecond?: number;
  /** Requests of one identity in excess of `requestsPerSecond`, within 10 seconds. */
  readonly requestBurst?: number;
  /** Bytes of response bodies to one identity per minute. */
  readonly bytesPerMinute?: number;
}

/** The first frame that the server sends on a connection. */
export interface HelloFrame {
  readonly type: "hello";
  readonly protocol: typeof SUBPROTOCOL;
  /** The name and version of the server, such as `wsfetch/0.1.0`. */
  readonly server: string;
  /** The name of this connection in the server's log. */
  readonly connection: string;
  /** The identity that the connection was authenticated as; `null`: none. */
  readonly identity: string | null;
  /** When the credential expires (RFC 3339); `null`: never. */
  readonly expiresAt: string | null;
  /** The named upstreams that this identity may use. */
  readonly upstreams: readonly string[];
  readonly limits: Limits;
}

/** How long the parts of an exchange took, in milliseconds. */
export interface Timing {
  /** From the request frame until the server made the request: the wait for limits and for its turn. */
  readonly queueMs?: number;
  /** The part of the time after `queueMs` that host name lookups took. Absent: there was no lookup. */
  readonly dnsMs?: number;
  /**
   * The part of the time after `queueMs` until there were connections, without TLS handshakes: TCP connecting, or waiting
   * for a connection that becomes free. Absent: idle connections were used, or the transport does not tell.
   */
  readonly connectMs?: number;
  /** The part of the time after `queueMs` that TLS handshakes took. Absent: there was none, or the transport does not tell. */
  readonly tlsMs?: number;
  /** From the request frame to the response head. */
  readonly waitMs: number;
  /** From the response head to the end of the body. Absent: the body follows. */
  readonly transferMs?: number;
  /** From the request frame to the response frame. */
  readonly totalMs: number;
}

/**
 * The response of a destination. Has at most one of `json`, `text`, `base64` and `stream`; without `stream`
 * the frame ends the exchange.
 */
export interface ResponseFrame {
  readonly type: "response";
  readonly id: number;
  /** The name of the exchange in the server's log. */
  readonly requestId?: string;
  readonly status: number;
  readonly statusText: string;
  /** The URL of the last hop, without its fragment. */
  readonly url: string;
  /** Whether the server followed a redirect. */
  readonly redirected: boolean;
  readonly headers: HeaderPairs;
  readonly timing: Timing;
  /** The body follows, either in chunks, the last of them with FIN, or in event frames and an end frame. */
  readonly stream?: true;
  readonly json?: unknown;
  readonly text?: string;
  readonly base64?: string;
}

/** A server-sent event, or a line, of a streamed response. */
export interface EventFrame {
  readonly type: "event";
  readonly id: number;
  /** The type of the event, `message` if the event names none; `line` for a line. */
  readonly event: string;
  readonly data: string;
  /** The id that the stream has set last; `""` after the stream has reset it. */
  readonly lastEventId?: string;
  /** The reconnection time that the stream has set since the last event, in milliseconds. */
  readonly retryMs?: number;
}

/** Ends an exchange whose response was sent in event frames. */
export interface EndFrame {
  readonly type: "end";
  readonly id: number;
}

/** Answers a {@linkcode PingFrame}, with the same `data`. */
export interface PongFrame {
  readonly type: "pong";
  readonly data?: string;
}

/** Answers an {@linkcode AuthFrame}: the new credential is valid and in use. */
export interface AuthenticatedFrame {
  readonly type: "authenticated";
  /** The identity that the connection was authenticated as; `null`: none. */
  readonly identity: string | null;
  /** When the credential expires (RFC 3339); `null`: never. */
  readonly expiresAt: string | null;
}

/** Announces that the server drains: it starts no new exchange, and those in flight have `graceMs` to finish. */
export interface GoawayFrame {
  readonly type: "goaway";
  readonly graceMs: number;
}

/** Every text frame that a server sends, distinguished by `type`. */
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

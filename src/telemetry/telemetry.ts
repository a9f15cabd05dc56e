/**
 * Everything that the service reports about itself, as events. No event holds a query string, a header value, a
 * body or a token, so that no receiver can write one to a log or an exporter.
 *
 * @module
 */

/** The service listens for connections. */
export interface StartedEvent {
  readonly type: "started";
  readonly url: string;
}

/** The service accepts no new work and waits up to `graceMs` for running exchanges. */
export interface DrainingEvent {
  readonly type: "draining";
  readonly connections: number;
  readonly graceMs: number;
}

/** The service has ended; no event follows. */
export interface StoppedEvent {
  readonly type: "stopped";
}

/** The definitions of the named upstreams were read again. */
export interface ReloadedEvent {
  readonly type: "reloaded";
  /** The names of all upstreams that are defined now. */
  readonly upstreams: readonly string[];
}

/** A connection was opened. */
export interface ConnectedEvent {
  readonly type: "connected";
  readonly connection: string;
  /** The WebSocket subprotocol, or `plain`. */
  readonly dialect: string;
  /** The client's IP address. */
  readonly client: string;
  /** The subject of the identity; absent when the client is anonymous. */
  readonly identity?: string;
}

/** A connection has ended. */
export interface DisconnectedEvent {
  readonly type: "disconnected";
  readonly connection: string;
  /** The WebSocket close code; 0 when the connection broke without a close frame. */
  readonly code: number;
  readonly closedBy: "client" | "server";
  /** How many exchanges the connection has had. */
  readonly exchanges: number;
  readonly durationMs: number;
}

/** A WebSocket handshake was refused. */
export interface RefusedEvent {
  readonly type: "refused";
  /** The client's IP address. */
  readonly client: string;
  /** The HTTP status of the refusal. */
  readonly status: number;
  readonly code: string;
  /** The message that the client received. */
  readonly reason: string;
}

/** A client sent a new credential on an open connection. */
export interface AuthenticatedEvent {
  readonly type: "authenticated";
  readonly connection: string;
  readonly identity: string | undefined;
  readonly outcome: "renewed" | "refused";
  /** Why the credential was refused. */
  readonly reason?: string;
}

/** The service responded to a frame with an error before the frame became an exchange. */
export interface MalformedEvent {
  readonly type: "malformed";
  readonly connection: string;
  readonly code: string;
}

/** Frames to a client have begun to queue because the client reads too slowly. */
export interface PausedEvent {
  readonly type: "paused";
  readonly connection: string;
}

/** The policy has allowed or denied a hop: a request to one destination, of which an exchange may need several. */
export interface HopDecidedEvent {
  readonly type: "decided";
  readonly connection: string;
  readonly exchange: number;
  /** The host and port of the hop. */
  readonly host: string;
  readonly allow: boolean;
  /** The rule that allowed the hop, or the named reason for denying it. */
  readonly reason: string;
}

/** An exchange has ended, whether it succeeded, failed or was cancelled. */
export interface ExchangedEvent {
  readonly type: "exchanged";
  readonly connection: string;
  /** The unique id that the service gave the exchange and sent to the client. */
  readonly requestId: string;
  /** The number of the exchange within its connection, from 1. */
  readonly exchange: number;
  /** The id of the trace that the exchange is part of, in hexadecimal; absent without tracing. */
  readonly traceId?: string | undefined;
  /** The id that the client chose; absent in the plain dialect. */
  readonly id?: number | undefined;
  readonly identity?: string | undefined;
  readonly method: string;
  /** The named upstream that the client asked for. */
  readonly upstream?: string | undefined;
  /** The host and port of the last hop that the policy decided on. */
  readonly host: string;
  readonly decision: "allow" | "deny" | "none";
  /** The rule that allowed the last hop, or the named reason for denying it. */
  readonly reason?: string | undefined;
  readonly outcome: "response" | "error" | "cancelled";
  readonly status?: number | undefined;
  /** The error code. */
  readonly code?: string | undefined;
  readonly requestBytes: number;
  /** For a body delivered as events: the bytes in the events; an event id counts again for each event that repeats it. */
  readonly responseBytes: number;
  /** Milliseconds until there were connections, without TLS handshakes; absent when idle ones were used. */
  readonly connectMs?: number | undefined;
  /** Milliseconds of TLS handshakes; absent when there was none. */
  readonly tlsMs?: number | undefined;
  /** Milliseconds until the response head arrived; absent when none did. */
  readonly waitMs?: number | undefined;
  readonly totalMs: number;
}

/** An error that the service did not expect: a bug in it or a failure of its environment. */
export interface FailedEvent {
  readonly type: "failed";
  readonly connection?: string;
  /** Logged with its stack. */
  readonly error: unknown;
}

/** An event of the service. */
export type TelemetryEvent =
  | StartedEvent
  | DrainingEvent
  | StoppedEvent
  | ReloadedEvent
  | ConnectedEvent
  | DisconnectedEvent
  | RefusedEvent
  | AuthenticatedEvent
  | MalformedEvent
  | PausedEvent
  | HopDecidedEvent
  | ExchangedEvent
  | FailedEvent;

/** The name of an event, as in the `event` field of its log line. */
export type TelemetryEventType = TelemetryEvent["type"];

/** Receives events. */
export interface Telemetry {
  /** Whether `decided` events are useful for allowed hops too; if not, callers save the cost of creating them. */
  readonly wantsAllowedHops: boolean;
  emit(event: TelemetryEvent): void;
}

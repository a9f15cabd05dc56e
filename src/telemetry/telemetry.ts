/**
 * What happens in the service, as typed events. No event holds a query string, a header value, a body
 * or a token, so that nothing that listens can write one down.
 *
 * @module
 */

/** A connection was opened. */
export interface ConnectedEvent {
  readonly connection: string;
  /** The subprotocol, or `plain`. */
  readonly dialect: string;
  /** The client's address. */
  readonly client: string;
  /** Who was authenticated; absent: nobody. */
  readonly identity?: string;
}

/** A credential was renewed on an open connection, or was to be. */
export interface AuthenticatedEvent {
  readonly connection: string;
  readonly identity: string | undefined;
  readonly outcome: "renewed" | "refused";
  /** Why it was refused. */
  readonly reason?: string;
}

/** A connection has ended. */
export interface DisconnectedEvent {
  readonly connection: string;
  /** The code of the WebSocket close; 0: the connection broke. */
  readonly code: number;
  readonly closedBy: "client" | "server";
  readonly exchanges: number;
  readonly durationMs: number;
}

/** A handshake was refused. */
export interface RefusedEvent {
  readonly client: string;
  readonly status: number;
  readonly code: string;
  /** What the client was told. */
  readonly reason: string;
}

/** An exchange has ended: one for each, however it went. */
export interface ExchangedEvent {
  readonly connection: string;
  /** What the client was told the exchange is called here. */
  readonly requestId: string;
  /** Counts the exchanges of the connection, from 1. */
  readonly exchange: number;
  /** The trace that it belongs to, in hexadecimal; absent: nothing is traced. */
  readonly traceId?: string | undefined;
  /** The client's id; absent in the plain dialect. */
  readonly id?: number | undefined;
  readonly identity?: string | undefined;
  readonly method: string;
  /** The named upstream that the request was for. */
  readonly upstream?: string | undefined;
  /** Host and port of the last hop that was decided on. */
  readonly host: string;
  readonly decision: "allow" | "deny" | "none";
  /** The rule that allowed, or the named reason that denied. */
  readonly reason?: string | undefined;
  readonly outcome: "response" | "error" | "cancelled";
  readonly status?: number | undefined;
  /** The error's code. */
  readonly code?: string | undefined;
  readonly requestBytes: number;
  /** Of a body that comes in events, what they carry of it; an id counts with each event that repeats it. */
  readonly responseBytes: number;
  /** To the response head, in milliseconds; absent when there was none. */
  readonly waitMs?: number | undefined;
  readonly totalMs: number;
}

/** A hop of an exchange was decided on. */
export interface DecidedEvent {
  readonly connection: string;
  readonly exchange: number;
  readonly host: string;
  readonly allow: boolean;
  readonly reason: string;
}

/** A connection's frames have begun to wait, because its client reads too slowly. */
export interface PausedEvent {
  readonly connection: string;
}

/** A frame was answered with an error before it became an exchange. */
export interface MalformedEvent {
  readonly connection: string;
  readonly code: string;
}

/** Something went wrong that never should: a bug here. */
export interface FailedEvent {
  readonly connection?: string;
  /** Logged with its stack. */
  readonly error: unknown;
}

/** Takes events. Nothing here throws. */
export interface Telemetry {
  /** Whether `decided` is to tell of hops that were allowed, too: else who would tell makes no event of them. */
  readonly hearsAllowed: boolean;
  /** The service listens. */
  started(event: { readonly url: string }): void;
  /** The service takes no more work. */
  draining(event: { readonly connections: number; readonly graceMs: number }): void;
  /** The service has ended. */
  stopped(): void;
  /** The upstreams were read again. */
  reloaded(event: { readonly upstreams: readonly string[] }): void;
  connected(event: ConnectedEvent): void;
  disconnected(event: DisconnectedEvent): void;
  refused(event: RefusedEvent): void;
  authenticated(event: AuthenticatedEvent): void;
  malformed(event: MalformedEvent): void;
  paused(event: PausedEvent): void;
  decided(event: DecidedEvent): void;
  exchanged(event: ExchangedEvent): void;
  failed(event: FailedEvent): void;
}

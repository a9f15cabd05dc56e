/**
 * The record of an exchange: what is logged of it.
 *
 * @module
 */
import type { ProxyRequest } from "../protocol/mod.ts";
import type { ExchangedEvent } from "../telemetry/telemetry.ts";

/** On whose behalf exchanges are made: one for all exchanges of a connection. */
export interface Caller {
  /** The connection's name in the log. */
  readonly connection: string;
  /** The authenticated identity; `undefined` when the client was not authenticated. */
  readonly subject: string | undefined;
  /** The key that limits are counted by: the identity, else the client's address. */
  readonly key: string;
  /** How connections take turns when exchanges wait. */
  readonly queue: ConnectionQueue;
}

/** The place of a connection in the order in which exchanges start; kept by {@linkcode Pace}. */
export interface ConnectionQueue {
  /** The number of the round in which the latest exchange of the connection is to start. */
  round: number;
}

/** The event of an exchange, filled in as the exchange goes on. */
export type ExchangeRecord = { -readonly [K in keyof ExchangedEvent]: ExchangedEvent[K] };

/** The parts of a request that are logged. */
export interface LoggedRequest {
  readonly method: string;
  /** Host and port; empty for a named upstream. */
  readonly host: string;
  readonly upstream: string | undefined;
  readonly requestBytes: number;
}

/** Which exchange of its connection an exchange is. */
export interface ExchangeNumber {
  /** The client's id when it is a number. */
  readonly id: number | undefined;
  /** Counts the exchanges of the connection, from 1. */
  readonly sequence: number;
}

// At most so much of a method or host is logged.
const MAX_LOGGED_LENGTH = 255;

// For a request that could not be read.
const UNREADABLE: LoggedRequest = {
  method: "",
  host: "",
  upstream: undefined,
  requestBytes: 0,
};

/** Creates the record of an exchange. Every field is there from the start, so that all records have one shape. */
export function createRecord(
  { connection, subject }: Caller,
  { id, sequence }: ExchangeNumber,
  { method, host, upstream, requestBytes }: LoggedRequest = UNREADABLE,
): ExchangeRecord {
  return {
    type: "exchanged",
    connection,
    exchange: sequence,
    requestId: `${connection}-${sequence}`,
    traceId: undefined,
    id,
    identity: subject,
    method,
    upstream,
    host,
    decision: "none",
    reason: undefined,
    outcome: "cancelled",
    status: undefined,
    code: undefined,
    requestBytes,
    responseBytes: 0,
    connectMs: undefined,
    tlsMs: undefined,
    waitMs: undefined,
    totalMs: 0,
  };
}

/** Returns the parts of a request that are logged; its path is none of them. */
export function toLoggedRequest({ method, target, body }: ProxyRequest): LoggedRequest {
  const isUrl = target instanceof URL;
  return {
    method: shorten(method),
    host: isUrl ? shorten(target.host) : "",
    upstream: isUrl ? undefined : shorten(target.upstream),
    requestBytes: body === null ? 0 : body.byteLength,
  };
}

/** Returns the part of a text that is logged. */
export function shorten(text: string): string {
  return text.length <= MAX_LOGGED_LENGTH ? text : text.slice(0, MAX_LOGGED_LENGTH);
}

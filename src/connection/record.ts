/**
 * What is to be logged of an exchange.
 *
 * @module
 */
import type { ExchangeId } from "../dialect/dialect.ts";
import type { ProxyRequest } from "../protocol/mod.ts";
import type { ExchangedEvent } from "../telemetry/telemetry.ts";
import type { Decided } from "./check.ts";

/** What the log will say of an exchange; filled in on its way. */
export type ExchangeRecord = { -readonly [K in keyof ExchangedEvent]: ExchangedEvent[K] };

/** Where an exchange belongs: it is the connection's `sequence`-th. */
export interface Place {
  readonly connection: string;
  readonly sequence: number;
  readonly identity: string | undefined;
}

/** What a request says that is logged. */
export type LoggedRequest = Pick<
  ExchangedEvent,
  "method" | "host" | "upstream" | "requestBytes"
>;

// The log takes at most so much of a method and of a host.
const MAX_LOGGED_LENGTH = 255;

const NOTHING: LoggedRequest = { method: "", host: "", upstream: undefined, requestBytes: 0 };

/** Creates the record of an exchange. Every field is there from the start, so that all records have one shape. */
export function createRecord(
  id: ExchangeId,
  { connection, sequence, identity }: Place,
  { method, host, upstream, requestBytes }: LoggedRequest = NOTHING,
): ExchangeRecord {
  return {
    type: "exchanged",
    connection,
    exchange: sequence,
    requestId: `${connection}-${sequence}`,
    traceId: undefined,
    id: typeof id === "number" ? id : undefined,
    identity,
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
    waitMs: undefined,
    totalMs: 0,
  };
}

/** Gives what is logged of a request, which is not its path. */
export function toLoggedRequest({ method, target, body }: ProxyRequest): LoggedRequest {
  const isUrl = target instanceof URL;
  return {
    method: shorten(method),
    host: isUrl ? shorten(target.host) : "",
    upstream: isUrl ? undefined : shorten(target.upstream),
    requestBytes: body === null ? 0 : body.byteLength,
  };
}

/** Notes a decision on a hop. */
export function recordDecision(
  record: ExchangeRecord,
  ...[url, { allow, reason }]: Parameters<Decided>
): void {
  record.host = shorten(url.host);
  record.decision = allow ? "allow" : "deny";
  record.reason = reason;
}

function shorten(text: string): string {
  return text.length <= MAX_LOGGED_LENGTH ? text : text.slice(0, MAX_LOGGED_LENGTH);
}

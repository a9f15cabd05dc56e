/**
 * The exchanges of a connection that have begun and not ended, and what is to be logged of each.
 *
 * @module
 */
import type { ExchangeId } from "../dialect/dialect.ts";
import type { ProxyError, ProxyRequest, Target } from "../protocol/mod.ts";
import type { ExchangedEvent } from "../telemetry/telemetry.ts";
import type { Decided } from "./check.ts";
import { createCredit, type Credit } from "./credit.ts";
import type { Upload } from "./upload.ts";

/** What the log will say of an exchange; filled in on its way. */
export type ExchangeRecord = { -readonly [K in keyof ExchangedEvent]: ExchangedEvent[K] };

/** One exchange. */
export interface Exchange {
  readonly id: ExchangeId;
  readonly request: ProxyRequest;
  readonly controller: AbortController;
  readonly record: ExchangeRecord;
  /** For the payload that goes to the client. */
  readonly credit: Credit;
  /** The body that comes from the client, where it follows. */
  readonly upload: Upload | undefined;
  /** Called when some of the upload has been taken. */
  uploaded: () => void;
  /** Nobody wants its answer any more. */
  cancelled: boolean;
}

/** The exchanges in flight. */
export interface InFlight {
  /** How many there are; a cancelled one counts until its request has really ended. */
  readonly size: number;
  /** Says whether an id is in use. */
  has(id: ExchangeId): boolean;
  find(id: number): Exchange | undefined;
  add(exchange: Exchange): void;
  delete(exchange: Exchange): void;
  /** Cancels an exchange and frees its id; one that has ended is left alone, for the frames have crossed. */
  cancel(id: number): void;
  cancelAll(): void;
  /** Fails every exchange with an error of its own, to be sent. */
  failAll(errorOf: (exchange: Exchange) => ProxyError): void;
}

/** Creates an empty {@linkcode InFlight}. */
export function createInFlight(): InFlight {
  const all = new Set<Exchange>();
  const byId = new Map<number, Exchange>();
  return {
    get size(): number {
      return all.size;
    },
    has: (id) => typeof id === "number" && byId.has(id),
    find: (id) => byId.get(id),
    add(exchange): void {
      all.add(exchange);
      if (typeof exchange.id === "number") byId.set(exchange.id, exchange);
    },
    delete(exchange): void {
      all.delete(exchange);
      exchange.upload?.close();
      const { id } = exchange;
      if (typeof id === "number" && byId.get(id) === exchange) byId.delete(id);
    },
    cancel(id): void {
      const exchange = byId.get(id);
      byId.delete(id);
      if (exchange !== undefined) cancelExchange(exchange);
    },
    cancelAll: () => all.forEach(cancelExchange),
    failAll: (errorOf) => all.forEach((each) => failExchange(each, errorOf(each))),
  };
}

/** The abort alone would not do: an exchange that has just timed out is aborted for another reason. */
function cancelExchange(exchange: Exchange): void {
  exchange.cancelled = true;
  failExchange(exchange, undefined);
}

/** Ends an exchange with an error that its client is to be sent, or with none when it was cancelled. */
export function failExchange(
  { controller, credit, upload }: Exchange,
  error: ProxyError | undefined,
): void {
  controller.abort(error);
  credit.close();
  upload?.close();
}

// The log takes at most so much of a method and of a host.
const MAX_LOGGED_LENGTH = 255;

/** Where an exchange belongs: it is the connection's `sequence`-th. */
export interface Place {
  readonly connection: string;
  readonly sequence: number;
  readonly identity: string | undefined;
}

/** Creates an exchange. */
export function createExchange(
  { id, request, upload }: Pick<Exchange, "id" | "request" | "upload">,
  place: Place,
): Exchange {
  return {
    id,
    request,
    controller: new AbortController(),
    credit: createCredit(request.windowBytes ?? Infinity),
    upload,
    uploaded: () => {},
    cancelled: false,
    record: {
      ...createRecord(id, place),
      method: request.method.slice(0, MAX_LOGGED_LENGTH),
      ...toLoggedTarget(request.target),
      requestBytes: request.body?.byteLength ?? 0,
    },
  };
}

/** Creates the record of an exchange of which no more is known than that it is there. */
export function createRecord(
  id: ExchangeId,
  { connection, sequence, identity }: Place,
): ExchangeRecord {
  return {
    connection,
    exchange: sequence,
    requestId: `${connection}-${sequence}`,
    ...(typeof id === "number" && { id }),
    ...(identity !== undefined && { identity }),
    method: "",
    host: "",
    decision: "none",
    outcome: "cancelled",
    requestBytes: 0,
    responseBytes: 0,
    totalMs: 0,
  };
}

/** Notes a decision on a hop. */
export function recordDecision(
  record: ExchangeRecord,
  ...[url, { allow, reason }]: Parameters<Decided>
): void {
  record.host = toLoggedHost(url);
  record.decision = allow ? "allow" : "deny";
  record.reason = reason;
}

function toLoggedTarget(target: Target): Pick<ExchangeRecord, "host" | "upstream"> {
  if (target instanceof URL) return { host: toLoggedHost(target) };
  return { host: "", upstream: target.upstream.slice(0, MAX_LOGGED_LENGTH) };
}

function toLoggedHost({ host }: URL): string {
  return host.slice(0, MAX_LOGGED_LENGTH);
}

/**
 * The exchanges of a connection that have begun and not ended.
 *
 * @module
 */
import type { ExchangeId } from "../dialect/dialect.ts";
import type { ProxyError, ProxyRequest } from "../protocol/mod.ts";
import { createCredit, type Credit } from "./credit.ts";
import type { Paced } from "../exchange/pace.ts";
import {
  createRecord,
  type ExchangeRecord,
  type Place,
  toLoggedRequest,
} from "../exchange/record.ts";
import type { Times } from "./times.ts";
import type { Upload } from "./upload.ts";

/** One exchange. */
export interface Exchange extends Paced {
  readonly id: ExchangeId;
  request: ProxyRequest;
  readonly controller: AbortController;
  readonly record: ExchangeRecord;
  readonly times: Times;
  /** For the payload that goes to the client; `undefined`: none is needed. */
  readonly credit: Credit | undefined;
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
  return new ExchangesInFlight();
}

/** A class, as every idle connection has one: the functions of a closure would be made for each. */
class ExchangesInFlight implements InFlight {
  readonly #byId: Table = { exchanges: {}, size: 0 };
  readonly #others: Table = { exchanges: {}, size: 0 }; // by their place: those that no number leads to

  get size(): number {
    return this.#byId.size + this.#others.size;
  }

  has(id: ExchangeId): boolean {
    return typeof id === "number" && this.find(id) !== undefined;
  }

  find(id: number): Exchange | undefined {
    return this.#byId.exchanges[id];
  }

  add(exchange: Exchange): void {
    const { id, record } = exchange;
    if (typeof id === "number") put(this.#byId, id, exchange);
    else put(this.#others, record.exchange, exchange);
  }

  delete(exchange: Exchange): void {
    exchange.upload?.close();
    const { id, record } = exchange;
    if (typeof id === "number" && this.find(id) === exchange) remove(this.#byId, id);
    else remove(this.#others, record.exchange);
  }

  cancel(id: number): void {
    const exchange = this.find(id);
    if (exchange === undefined) return;
    remove(this.#byId, id);
    put(this.#others, exchange.record.exchange, exchange);
    cancelExchange(exchange);
  }

  cancelAll(): void {
    for (const exchange of this.#all()) cancelExchange(exchange);
  }

  failAll(errorOf: (exchange: Exchange) => ProxyError): void {
    for (const exchange of this.#all()) failExchange(exchange, errorOf(exchange));
  }

  #all(): readonly Exchange[] {
    return [this.#byId, this.#others].flatMap(({ exchanges }) => Object.values(exchanges));
  }
}

/**
 * Exchanges by a number. No Map: V8 links each table that a Map outgrows to the next, so that one that has become
 * old keeps whatever came after it alive, until a full collection.
 */
interface Table {
  readonly exchanges: Record<number, Exchange>;
  size: number;
}

function put(table: Table, key: number, exchange: Exchange): void {
  if (table.exchanges[key] === undefined) table.size++;
  table.exchanges[key] = exchange;
}

function remove(table: Table, key: number): void {
  if (table.exchanges[key] === undefined) return;
  delete table.exchanges[key];
  table.size--;
}

/** The abort alone would not do: an exchange that has just timed out is aborted for another reason. */
function cancelExchange(exchange: Exchange): void {
  exchange.cancelled = true;
  failExchange(exchange, undefined);
}

/** Ends an exchange with an error that its client is to be sent, or with none when it was cancelled. */
export function failExchange(exchange: Exchange, error: ProxyError | undefined): void {
  const { controller, credit, upload, begin } = exchange;
  controller.abort(error);
  exchange.begin = undefined;
  begin?.();
  credit?.close();
  upload?.close();
}

/** Creates an exchange. */
export function createExchange(
  { id, request, upload }: Pick<Exchange, "id" | "request" | "upload">,
  place: Place,
): Exchange {
  const { windowBytes } = request;
  return {
    id,
    request,
    controller: new AbortController(),
    record: createRecord(id, place, toLoggedRequest(request)),
    times: { startedAt: performance.now(), queueMs: 0, dnsMs: undefined, waitMs: 0 },
    credit: windowBytes === undefined ? undefined : createCredit(windowBytes),
    upload,
    uploaded: ignore,
    cancelled: false,
    isUnderway: false,
    begin: undefined,
  };
}

function ignore(): void {}

/**
 * The exchanges of a connection that have started and not ended.
 *
 * @module
 */
import type { ExchangeId } from "../dialect/dialect.ts";
import { ProxyError } from "../protocol/mod.ts";
import type { FrameOutlet } from "./outlet.ts";

/**
 * Exchanges by a number. Not a Map: V8 links each table that a Map outgrows to the next, so that a table that has become
 * old keeps all later ones alive until a full collection.
 */
interface Table {
  readonly outlets: Record<number, FrameOutlet>;
  size: number;
}

/** The exchanges in flight, by the outlets that they have on this connection. */
export class InFlight {
  readonly #byId: Table = { outlets: {}, size: 0 };
  readonly #others: Table = { outlets: {}, size: 0 }; // by their number in the connection: those without an id, or whose id was freed

  /** The number of exchanges. A cancelled exchange counts until its request has really ended. */
  get size(): number {
    return this.#byId.size + this.#others.size;
  }

  /** Reports whether an id is in use; only a number can be. */
  has(id: ExchangeId): boolean {
    return typeof id === "number" && this.find(id) !== undefined;
  }

  /** Returns the error of a request that arrives now, if so many exchanges are in flight already. */
  findOverload(maxInFlight: number): ProxyError | undefined {
    if (this.size < maxInFlight) return undefined;
    const message = `${maxInFlight} exchanges are in flight; wait for one to end`;
    return new ProxyError("too_many_in_flight", message);
  }

  find(id: number): FrameOutlet | undefined {
    return this.#byId.outlets[id];
  }

  add(outlet: FrameOutlet): void {
    const { id } = outlet;
    if (typeof id === "number") put(this.#byId, id, outlet);
    else put(this.#others, sequenceOf(outlet), outlet);
  }

  /** Removes an exchange that has ended, and closes its outlet. */
  delete(outlet: FrameOutlet): void {
    const { id } = outlet;
    outlet.close();
    if (typeof id === "number" && this.find(id) === outlet) remove(this.#byId, id);
    else remove(this.#others, sequenceOf(outlet));
  }

  /** Cancels an exchange and frees its id. Does nothing when it has ended already: then the two frames have crossed. */
  cancel(id: number): void {
    const outlet = this.find(id);
    if (outlet === undefined) return;
    remove(this.#byId, id);
    put(this.#others, sequenceOf(outlet), outlet);
    outlet.cancel();
  }

  /** Returns the exchange that keeps the most bytes in memory. */
  findLargest(): FrameOutlet | undefined {
    return this.#all().toSorted((a, b) => keptBytesOf(b) - keptBytesOf(a))[0];
  }

  cancelAll(): void {
    for (const outlet of this.#all()) outlet.cancel();
  }

  /** Ends every exchange with an error, which the client is sent. */
  failAll(error: ProxyError): void {
    for (const outlet of this.#all()) outlet.abort(error);
  }

  #all(): readonly FrameOutlet[] {
    return [this.#byId, this.#others].flatMap(({ outlets }) => Object.values(outlets));
  }
}

/** Returns how many bytes the exchange of an outlet keeps in memory. */
export function keptBytesOf({ exchange }: FrameOutlet): number {
  return exchange.memory?.keptBytes ?? 0;
}

function sequenceOf({ exchange }: FrameOutlet): number {
  return exchange.record.exchange;
}

function put(table: Table, key: number, outlet: FrameOutlet): void {
  if (table.outlets[key] === undefined) table.size++;
  table.outlets[key] = outlet;
}

function remove(table: Table, key: number): void {
  if (table.outlets[key] === undefined) return;
  delete table.outlets[key];
  table.size--;
}

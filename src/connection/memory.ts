/**
 * What a connection keeps in memory, and how it is made to give it back.
 *
 * @module
 */
import { overloaded } from "../exchange/admit.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { MemoryAccount } from "../limits/memory_account.ts";
import type { MemoryBudget, MemoryOwner } from "../limits/memory_budget.ts";
import type { WatchedConnection } from "../limits/memory_watch.ts";
import type { ProxyError } from "../protocol/mod.ts";
import { type InFlight, keptBytesOf } from "./in_flight.ts";
import type { FrameSocket } from "./socket.ts";

/** The parts of a connection that keep bytes. */
export interface KeepingConnection {
  readonly socket: FrameSocket;
  readonly inFlight: InFlight;
}

/** The memory of one connection. A class: every idle connection has one. */
export class ConnectionMemory implements MemoryOwner, WatchedConnection {
  readonly account: MemoryAccount;
  heardAt = -1;
  #waitingBytes = 0;
  readonly #connection: KeepingConnection;
  readonly #budget: MemoryBudget;

  /** @param key Of the identity that the connection belongs to. */
  constructor(key: string, connection: KeepingConnection, budget: MemoryBudget) {
    this.account = budget.openAccount(key, this);
    this.#connection = connection;
    this.#budget = budget;
  }

  get isBusy(): boolean {
    return this.#connection.inFlight.size > 0 || this.#waitingBytes > 0;
  }

  /** To be called when a whole message has arrived. */
  heard(): void {
    this.heardAt = this.#budget.ticks;
  }

  /** Counts a whole message that has arrived and waits to be handled; a negative number when it no longer does. */
  messageWaits(bytes: number): void {
    this.heard();
    this.#waitingBytes += bytes;
    this.account.keep(bytes);
  }

  /**
   * Counts the frame of an exchange that starts, as long as the exchange runs. Returns the error of the exchange if
   * the service keeps too much already.
   */
  hold(exchange: Exchange, frameBytes: number): ProxyError | undefined {
    if (!this.account.fits(frameBytes)) {
      this.#budget.refused();
      return overloaded();
    }
    exchange.memory = this.account.hold(frameBytes);
    return undefined;
  }

  readBuffered(): number {
    return this.#connection.socket.readBuffered();
  }

  endLargest(): void {
    const { inFlight, socket } = this.#connection;
    const largest = inFlight.findLargest();
    if (largest !== undefined && keptBytesOf(largest) >= this.account.bufferedBytes) {
      largest.abort(overloaded());
    } else socket.terminate(4029);
  }

  endForMemory(): void {
    this.#budget.penalties.add(this.account.share.key);
    this.#connection.socket.terminate(1013);
  }

  /** To be called when the connection has closed. */
  retire(): void {
    this.#budget.retireAccount(this.account);
  }

  /** To be called when TCP has ended: until then it keeps what the client has not read. */
  close(): void {
    this.#budget.closeAccount(this.account);
  }
}

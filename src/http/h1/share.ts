/**
 * How many of a host's connections one identity may use.
 *
 * @module
 */
import type { TcpConnection } from "./connection.ts";
import type { WaitingRequest } from "./waiting.ts";

/** The connections to one host. While few more are allowed, those in use are counted by identity. */
export class ConnectionShare {
  readonly #connections = new Set<TcpConnection>();
  /** A quarter is left to other identities. */
  readonly #most: number;

  /** @param max The most connections to the host. */
  constructor(max: number) {
    this.#most = max === Infinity ? max : max - Math.floor(max / 4);
  }

  /** How many connections there are. */
  get size(): number {
    return this.#connections.size;
  }

  add(connection: TcpConnection): void {
    this.#connections.add(connection);
  }

  delete(connection: TcpConnection): void {
    this.#connections.delete(connection);
  }

  /**
   * Reports whether an identity may use one more connection.
   *
   * @param dials The requests for which connections are being opened.
   */
  isLeftFor(identity: string | undefined, dials?: ReadonlySet<WaitingRequest>): boolean {
    if (this.#connections.size + (dials?.size ?? 0) < this.#most) return true;
    let used = 0;
    for (const { wish } of dials ?? []) if (wish.identity === identity) used++;
    for (const connection of this.#connections) {
      if (!connection.isIdle && connection.identity === identity) used++;
    }
    return used < this.#most;
  }
}

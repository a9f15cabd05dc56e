/**
 * How many of a host's connections one identity may use.
 *
 * @module
 */
/** What one identity uses of a host. */
export interface ConnectionUse {
  /** Connections that are used for requests of the identity. */
  connections: number;
  /** Connections that are being opened for requests of the identity. */
  dials: number;
}

// Identities that use nothing are forgotten when there are more.
const MAX_IDENTITIES = 256;

/** The connections to one host, and how many of them each identity uses. */
export class ConnectionShare {
  readonly #connections = new Set<object>();
  readonly #uses = new Map<string | undefined, ConnectionUse>();
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

  add(connection: object): void {
    this.#connections.add(connection);
  }

  delete(connection: object): void {
    this.#connections.delete(connection);
  }

  /** Returns what an identity uses; `undefined` where there is no limit, so that nothing is counted. */
  useOf(identity: string | undefined): ConnectionUse | undefined {
    if (this.#most === Infinity) return undefined;
    let use = this.#uses.get(identity);
    if (use !== undefined) return use;
    if (this.#uses.size >= MAX_IDENTITIES) this.#forgetUnused();
    this.#uses.set(identity, use = { connections: 0, dials: 0 });
    return use;
  }

  /**
   * Reports whether an identity may use one more connection.
   *
   * @param dials How many connections are being opened, if one more would be opened.
   */
  isLeftFor(identity: string | undefined, dials = 0): boolean {
    if (this.#connections.size + dials < this.#most) return true;
    const use = this.#uses.get(identity);
    return use === undefined || use.connections + (dials === 0 ? 0 : use.dials) < this.#most;
  }

  #forgetUnused(): void {
    for (const [identity, { connections, dials }] of this.#uses) {
      if (connections === 0 && dials === 0) this.#uses.delete(identity);
    }
  }
}

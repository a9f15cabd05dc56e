/**
 * Idle connections, kept until they are used again (RFC 9112 §9.3).
 *
 * @module
 */
import type { Cancel, Clock } from "../../clock.ts";
import type { TcpConnection } from "./connection.ts";

/** How many idle connections are kept, and for how long. */
export interface PoolLimits {
  /** Connections with the same key; at least 1. */
  readonly maxPerKey: number;
  /** Connections in total; at least 1. */
  readonly max: number;
  /** The time in milliseconds after which an idle connection is closed, at the latest after twice as much. */
  readonly idleMs: number;
}

interface IdleConnection {
  readonly connection: TcpConnection;
  /** The number of sweeps before the connection became idle. */
  readonly sweep: number;
}

/** Idle connections by a key that says where they lead. Disposing of the pool closes them all. */
export class Pool implements Disposable {
  readonly #limits: PoolLimits;
  readonly #clock: Clock;
  readonly #idle = new Map<string, IdleConnection[]>();
  #size = 0;
  #sweeps = 0;
  #stop: Cancel | undefined = undefined;
  #isDisposed = false;

  constructor(limits: PoolLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Takes out the connection that became idle last, since it is the most likely to be still open. */
  take(key: string): TcpConnection | undefined {
    const idle = this.#idle.get(key);
    for (let last = idle?.pop(); last !== undefined; last = idle?.pop()) {
      const { connection } = last;
      this.#size--;
      connection.endIdle();
      const { expiresAt } = connection;
      if (expiresAt === Infinity || expiresAt > this.#clock.now()) return connection;
      connection.close();
    }
    return undefined;
  }

  /** Keeps a connection that has become idle, or closes it when there are enough. */
  put(key: string, connection: TcpConnection): void {
    const { maxPerKey, max, idleMs } = this.#limits;
    if (this.#isDisposed || this.#size >= max && !this.#makeRoom()) return connection.close();
    let idle = this.#idle.get(key);
    if (idle === undefined) this.#idle.set(key, idle = []);
    if (idle.length >= maxPerKey) return connection.close();
    idle.push({ connection, sweep: this.#sweeps });
    this.#size++;
    connection.beginIdle(() => this.#remove(key, connection));
    this.#stop ??= this.#clock.every(idleMs, () => this.#sweep());
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#stop?.();
    for (const { connection } of [...this.#idle.values()].flat()) connection.close();
    this.#idle.clear();
  }

  #remove(key: string, connection: TcpConnection): void {
    connection.close();
    const idle = this.#idle.get(key) ?? [];
    const at = idle.findIndex((each) => each.connection === connection);
    if (at < 0) return;
    idle.splice(at, 1);
    this.#size--;
  }

  /** Closes the connections that were idle during two sweeps. Thus no time is measured for each connection. */
  #sweep(): void {
    this.#sweeps++;
    for (const [key, idle] of this.#idle) {
      const kept = idle.findIndex(({ sweep }) => sweep >= this.#sweeps - 1);
      const old = idle.splice(0, kept < 0 ? idle.length : kept);
      for (const { connection } of old) connection.close();
      this.#size -= old.length;
      if (idle.length === 0) this.#idle.delete(key);
    }
    if (this.#idle.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Closes old connections early: otherwise requests to many hosts, one each, would leave no room to others. */
  #makeRoom(): boolean {
    this.#sweep();
    return this.#size < this.#limits.max;
  }
}

/**
 * Connections that rest until they are used again (RFC 9112 §9.3).
 *
 * @module
 */
import type { Cancel, Clock } from "../../clock.ts";
import type { TcpConnection } from "./connection.ts";

/** Resting connections by where they lead. Disposed of, it keeps none. */
export interface Pool extends Disposable {
  /** Gives the connection that was used last, which is the likeliest to be open still. */
  take(key: string): TcpConnection | undefined;
  put(key: string, connection: TcpConnection): void;
}

/** What a pool keeps. */
export interface PoolOptions {
  /** Connections that lead to one place; at least 1. */
  readonly maxPerKey: number;
  /** Connections in all; at least 1. */
  readonly max: number;
  /** How long one rests, in milliseconds, or up to as much again. */
  readonly idleMs: number;
}

interface Resting {
  readonly connection: TcpConnection;
  /** The sweep in front of which it began to rest. */
  readonly sweep: number;
}

/** Creates a {@linkcode Pool}. */
export function createPool(
  { maxPerKey, max, idleMs }: PoolOptions,
  clock: Clock,
): Pool {
  const resting = new Map<string, Resting[]>();
  let size = 0;
  let sweeps = 0;
  let stop: Cancel | undefined;
  let disposed = false;

  function remove(key: string, connection: TcpConnection): void {
    connection.close();
    const all = resting.get(key) ?? [];
    const at = all.findIndex((each) => each.connection === connection);
    if (at < 0) return;
    all.splice(at, 1);
    size--;
  }

  /** No clock is read for a connection: one that has seen two sweeps has rested for long enough. */
  function sweep(): void {
    sweeps++;
    for (const [key, all] of resting) {
      const kept = all.findIndex((each) => each.sweep >= sweeps - 1);
      const old = all.splice(0, kept < 0 ? all.length : kept);
      for (const { connection } of old) connection.close();
      size -= old.length;
      if (all.length === 0) resting.delete(key);
    }
    if (resting.size > 0) return;
    stop?.();
    stop = undefined;
  }

  /** Whoever asks many hosts once each must not keep the others' connections out until time has passed. */
  function makeRoom(): boolean {
    sweep();
    return size < max;
  }

  return {
    take(key): TcpConnection | undefined {
      const all = resting.get(key);
      for (let last = all?.pop(); last !== undefined; last = all?.pop()) {
        const { connection } = last;
        size--;
        connection.wake();
        if (connection.expiresAt === Infinity || connection.expiresAt > clock.now()) {
          return connection;
        }
        connection.close();
      }
      return undefined;
    },
    put(key, connection): void {
      if (disposed || size >= max && !makeRoom()) return connection.close();
      let all = resting.get(key);
      if (all === undefined) resting.set(key, all = []);
      if (all.length >= maxPerKey) return connection.close();
      all.push({ connection, sweep: sweeps });
      size++;
      connection.rest(() => remove(key, connection));
      stop ??= clock.every(idleMs, sweep);
    },
    [Symbol.dispose](): void {
      disposed = true;
      stop?.();
      for (const { connection } of [...resting.values()].flat()) connection.close();
      resting.clear();
      size = 0;
    },
  };
}

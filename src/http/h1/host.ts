/**
 * The connections to one host: idle ones, requests that wait for one, and attempts to open more.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { ProxyError } from "../../protocol/mod.ts";
import { unreachable } from "../failures.ts";
import type { ConnectTimes } from "../transport.ts";
import { type ConnectionKeeper, TcpConnection } from "./connection.ts";
import type { Dial, Dialed, DialTarget } from "./dial.ts";

/** Which connection a request needs. */
export interface Wish {
  /** The addresses that were checked; `undefined`: any connection to the host will do. */
  readonly addresses: readonly string[] | undefined;
  /** On whose behalf the request is made. */
  readonly owner: string | undefined;
  /** Whether the request authenticates its connection, so that it needs the owner's own. */
  readonly isBinding: boolean;
  /** Whether only a new connection will do. */
  readonly isFresh: boolean;
}

/** A connection for a request. */
export interface Acquired {
  readonly connection: TcpConnection;
  /** How long the request waited; `undefined` when an idle connection was there. */
  readonly times: ConnectTimes | undefined;
}

/** What a host has in common with the others of its pool. */
export interface HostDeps {
  readonly dial: Dial;
  readonly clock: Clock;
  /** The most connections to the host. */
  readonly maxPerHost: number;
  /** The most connections that are being opened to the host at a time. */
  readonly maxDialsPerHost: number;
  /** Keeps a connection that nobody waits for. */
  readonly release: (connection: TcpConnection) => void;
  /** Called when idle connections were added or taken away. */
  readonly countIdle: (change: number) => void;
  /** Called when nothing of the host is left. */
  readonly abandoned: (host: Host) => void;
}

interface Waiting {
  readonly wish: Wish;
  readonly signal: AbortSignal;
  readonly since: number;
  readonly resolve: (acquired: Acquired) => void;
  readonly reject: (reason: unknown) => void;
  /** Ends the attempt to open a connection for this request. */
  dial: AbortController | undefined;
  /** Listens for an abort; absent while an idle connection is about to be offered. */
  abort: (() => void) | undefined;
}

/** The connections to one host. */
export class Host implements ConnectionKeeper {
  readonly #target: Omit<DialTarget, "addresses">;
  readonly #deps: HostDeps;
  /** The connection that became idle last is at the end. */
  readonly #idle: TcpConnection[] = [];
  readonly #waiting: Waiting[] = [];
  #open = 0;
  #dialing = 0;
  /** Connections that are idle, and will be offered in the next turn of the event loop. */
  #settling = 0;
  #isDisposed = false;
  /** The address that accepted a connection last: it is tried first. */
  #lastAddress: string | undefined = undefined;

  constructor(target: Omit<DialTarget, "addresses">, deps: HostDeps) {
    this.#target = target;
    this.#deps = deps;
  }

  /** Takes the connection that became idle last among those that will do: it is the most likely to be still open. */
  take(wish: Wish): TcpConnection | undefined {
    if (wish.isBinding) {
      const own = this.#takeLast(wish, true);
      if (own !== undefined) return own;
    }
    return this.#takeLast(wish, false);
  }

  /**
   * Waits for a connection: one that becomes free or a new one, whichever is there first.
   *
   * @throws {ProxyError} No connection was made; or the signal's reason.
   */
  acquire(wish: Wish, signal: AbortSignal): Promise<Acquired> {
    const { promise, resolve, reject } = Promise.withResolvers<Acquired>();
    const since = this.#deps.clock.now();
    this.#waiting.push({ wish, signal, since, resolve, reject, dial: undefined, abort: undefined });
    this.#dialMore();
    if (this.#settling === 0) this.#listen();
    return promise;
  }

  /** Makes a connection idle; it is offered when {@linkcode settled} is called. */
  release(connection: TcpConnection): void {
    this.#settling++;
    this.#deps.countIdle(1);
    connection.beginIdle();
  }

  /** Offers a connection that has been idle for a turn of the event loop: to a request that waits, or to later ones. */
  settled(connection: TcpConnection): void {
    if (connection.isClosed) return;
    this.#settling--;
    if (!this.#handOver(connection)) this.#idle.push(connection);
    if (this.#waiting.length === 0) return;
    this.#dialMore();
    this.#listen();
  }

  /** The connection that has been idle longest, of those that are offered. */
  get oldest(): TcpConnection | undefined {
    return this.#idle[0];
  }

  /** Closes the idle connections up to a place in the order in which they became idle. */
  closeIdle(upTo: number): void {
    for (const connection of this.#idle.filter(({ idleOrder }) => idleOrder <= upTo)) {
      connection.close();
    }
  }

  closed(connection: TcpConnection): void {
    this.#open--;
    if (connection.isIdle) {
      this.#deps.countIdle(-1);
      const at = this.#idle.lastIndexOf(connection);
      if (at < 0) this.#settling--;
      else this.#idle.splice(at, 1);
    }
    this.#dialMore();
    this.#leaveIfUnused();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    for (const waiting of this.#waiting.splice(0)) {
      waiting.dial?.abort();
      this.#forget(waiting);
      waiting.reject(unreachable());
    }
    for (const connection of [...this.#idle]) connection.close();
  }

  #takeLast(wish: Wish, isOwn: boolean): TcpConnection | undefined {
    const idle = this.#idle;
    for (let at = idle.length - 1; at >= 0; at--) {
      const connection = idle[at];
      if (connection === undefined || !isFit(connection, wish)) continue;
      if (isOwn && connection.owner === undefined) continue;
      const { expiresAt } = connection;
      if (expiresAt !== Infinity && expiresAt <= this.#deps.clock.now()) {
        connection.close();
        continue;
      }
      if (at === idle.length - 1) idle.pop();
      else idle.splice(at, 1);
      this.#deps.countIdle(-1);
      connection.endIdle();
      return connection;
    }
    return undefined;
  }

  /** Gives a connection that has become free to the request that has waited longest. */
  #handOver(connection: TcpConnection): boolean {
    const at = this.#waiting.findIndex(({ wish }) => !wish.isFresh && isFit(connection, wish));
    const waiting = at < 0 ? undefined : this.#waiting[at];
    if (waiting === undefined) return false;
    this.#waiting.splice(at, 1);
    this.#deps.countIdle(-1);
    connection.endIdle();
    // Without a listener, the request has waited for a turn of the event loop only.
    const isAtOnce = waiting.abort === undefined;
    this.#forget(waiting);
    if (waiting.signal.aborted) {
      connection.close();
      waiting.reject(waiting.signal.reason);
    } else {
      const connectMs = this.#deps.clock.now() - waiting.since;
      const times = isAtOnce ? undefined : { connectMs, tlsMs: undefined };
      waiting.resolve({ connection, times });
    }
    return true;
  }

  /** Opens connections for the requests that wait, unless enough are about to be there. */
  #dialMore(): void {
    const { maxPerHost, maxDialsPerHost } = this.#deps;
    for (const waiting of this.#waiting) {
      if (this.#dialing + this.#settling >= this.#waiting.length) return;
      if (this.#dialing >= maxDialsPerHost) return;
      if (waiting.dial !== undefined) continue;
      // Only connections that do for none of the requests are idle while requests wait.
      if (this.#open + this.#dialing >= maxPerHost) this.#idle[0]?.close();
      if (this.#open + this.#dialing >= maxPerHost) return;
      this.#dial(waiting);
    }
  }

  #dial(waiting: Waiting): void {
    const controller = waiting.dial = new AbortController();
    const startedAt = this.#deps.clock.now();
    const { addresses } = waiting.wish;
    this.#dialing++;
    this.#deps.dial(
      { ...this.#target, addresses: addresses && this.#lastFirst(addresses) },
      controller.signal,
    ).then(
      (dialed) => this.#opened(dialed, waiting),
      (error) => this.#notOpened(error, waiting, startedAt),
    );
  }

  #lastFirst(addresses: readonly string[]): readonly string[] {
    const last = this.#lastAddress;
    if (last === undefined || addresses[0] === last || !addresses.includes(last)) return addresses;
    return [last, ...addresses.filter((address) => address !== last)];
  }

  #opened({ tcp, address, times }: Dialed, waiting: Waiting): void {
    this.#dialing--;
    if (this.#isDisposed) return tcp.close();
    this.#open++;
    this.#lastAddress = address;
    const connection = new TcpConnection(tcp, address, this);
    const own = this.#waiting.indexOf(waiting);
    const at = own >= 0 ? own : this.#waiting.findIndex(({ wish }) => isFit(connection, wish));
    const [taker] = at < 0 ? [] : this.#waiting.splice(at, 1);
    if (taker === undefined) return this.#deps.release(connection);
    this.#forget(taker);
    const connectMs = this.#deps.clock.now() - taker.since;
    taker.resolve({
      connection,
      times: taker === waiting ? times : { connectMs, tlsMs: undefined },
    });
    this.#dialMore();
  }

  #notOpened(error: unknown, waiting: Waiting, startedAt: number): void {
    this.#dialing--;
    const isLate = error instanceof ProxyError && error.code === "connection_timeout";
    // Requests that have waited just as long would try the same, and wait as long again.
    const failed = this.#waiting.filter((each) =>
      each === waiting || isLate && each.dial === undefined && each.since <= startedAt
    );
    for (const each of failed) {
      this.#waiting.splice(this.#waiting.indexOf(each), 1);
      this.#forget(each);
      each.reject(error);
    }
    this.#dialMore();
    this.#leaveIfUnused();
  }

  /** Lets the requests that wait hear of an abort. */
  #listen(): void {
    for (const waiting of [...this.#waiting]) {
      if (waiting.abort !== undefined) continue;
      waiting.abort = () => this.#giveUp(waiting);
      if (waiting.signal.aborted) this.#giveUp(waiting);
      else waiting.signal.addEventListener("abort", waiting.abort);
    }
  }

  #giveUp(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    this.#forget(waiting);
    waiting.reject(waiting.signal.reason);
    if (this.#dialing > this.#waiting.length) waiting.dial?.abort(waiting.signal.reason);
  }

  #forget({ abort, signal }: Waiting): void {
    if (abort !== undefined) signal.removeEventListener("abort", abort);
  }

  #leaveIfUnused(): void {
    const isUnused = this.#open === 0 && this.#dialing === 0 && this.#waiting.length === 0;
    if (isUnused) this.#deps.abandoned(this);
  }
}

/** Reports whether a request may use a connection. */
function isFit({ address, owner }: TcpConnection, wish: Wish): boolean {
  return (wish.addresses === undefined || wish.addresses.includes(address)) &&
    (owner === undefined || owner === wish.owner);
}

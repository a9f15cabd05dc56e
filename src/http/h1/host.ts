/**
 * The connections to one host: idle ones, requests that wait for one, and attempts to open more.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { ProxyError } from "../../protocol/mod.ts";
import { unreachable } from "../failures.ts";
import { type ConnectionKeeper, TcpConnection } from "./connection.ts";
import type { Dial, Dialed, DialTarget } from "./dial.ts";
import { ConnectionShare } from "./share.ts";
import { type Acquired, isFit, WaitingList, type WaitingRequest, type Wish } from "./waiting.ts";

/** What a host has in common with the others of its pool. */
export interface HostDeps {
  readonly dial: Dial;
  readonly clock: Clock;
  /** The most connections to the host. */
  readonly maxPerHost: number;
  /** The most connections that are being opened to the host at a time. */
  readonly maxDialsPerHost: number;
  /** Keeps a connection that no request waits for. */
  readonly release: (connection: TcpConnection) => void;
  /** Called when idle connections were added or taken away. */
  readonly countIdle: (change: number) => void;
  /** Until when no connection to the host is used again. */
  readonly closesUntil: number;
  /** Called when the host is found to send responses that no request asked for; returns the new `closesUntil`. */
  readonly sentUnasked: () => number;
  /** Called when nothing of the host is left. */
  readonly abandoned: (host: Host) => void;
}

// Under load, connections that are used in turns save requests the wait for a turn, which costs each about a microsecond
// of CPU time; a connection with TLS costs a thousand.
const MAX_TURNS_WAITED = 1000;

/** The connections to one host. */
export class Host implements ConnectionKeeper {
  readonly #target: Omit<DialTarget, "addresses">;
  readonly #deps: HostDeps;
  /** The connection that became idle last is at the end. */
  readonly #idle: TcpConnection[] = [];
  readonly #waiting = new WaitingList(({ dial }) => {
    // Not with the request's reason: a time that is over for one request is not over for those that wait.
    if (this.#dials.size > this.#waiting.length) dial?.abort();
  });
  /** The requests for which connections are being opened. */
  readonly #dials = new Set<WaitingRequest>();
  readonly #connections: ConnectionShare;
  /** Connections that are idle, and will be offered in the next turn of the event loop. */
  #settling = 0;
  /** How many requests have waited for a turn of the event loop since this last opened a connection. */
  #turnsWaited = 0;
  #isDisposed = false;
  /** Until when connections are closed instead of used again. */
  #closesUntil: number;
  /** The address that accepted a connection last: it is tried first. */
  #lastAddress: string | undefined = undefined;

  constructor(target: Omit<DialTarget, "addresses">, deps: HostDeps) {
    this.#target = target;
    this.#deps = deps;
    this.#closesUntil = deps.closesUntil;
    this.#connections = new ConnectionShare(deps.maxPerHost);
  }

  /** Takes the connection that became idle last among those that will do: it is the most likely to be still open. */
  take(wish: Wish): TcpConnection | undefined {
    if (this.#idle.length === 0 || !this.#connections.isLeftFor(wish.identity)) return undefined;
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
    const [request, acquired] = this.#waiting.add(wish, signal, this.#deps.clock.now());
    if (this.#settling > 0 && ++this.#turnsWaited >= MAX_TURNS_WAITED) {
      this.#turnsWaited = 0;
      if (this.#hasRoom() && this.#mayDial(request)) this.#dial(request);
    }
    this.#dialMore();
    if (this.#settling === 0) this.#waiting.listen();
    return acquired;
  }

  /** Makes a connection idle; it is offered when {@linkcode settled} is called. */
  release(connection: TcpConnection): void {
    if (this.#isClosing()) return connection.close();
    this.#endUse(connection);
    this.#settling++;
    this.#deps.countIdle(1);
    connection.beginIdle();
  }

  /** Offers a connection that has been idle for a turn of the event loop: to a request that waits, or to later ones. */
  settled(connection: TcpConnection): void {
    if (this.#isClosing()) connection.close();
    if (!connection.isClosed) {
      this.#settling--;
      if (this.#waiting.length === 0 || !this.#handOver(connection)) this.#idle.push(connection);
    }
    if (this.#settling > 0 || this.#waiting.length === 0) return;
    this.#dialMore();
    this.#waiting.listen();
  }

  /**
   * Uses no connection to the host again for a while: what the server sends unasked may arrive when the next request is on
   * its way, and would be taken for its response.
   */
  sentUnasked(): void {
    this.#closesUntil = this.#deps.sentUnasked();
    this.closeIdle(Infinity);
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
    this.#connections.delete(connection);
    this.#endUse(connection);
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
    for (const { dial } of this.#dials) dial?.abort();
    this.#waiting.fail(unreachable(), () => true);
    for (const connection of [...this.#idle]) connection.close();
  }

  #use(connection: TcpConnection, { identity }: Wish): void {
    const use = connection.use = this.#connections.useOf(identity);
    if (use !== undefined) use.connections++;
  }

  #endUse(connection: TcpConnection): void {
    if (connection.use === undefined) return;
    connection.use.connections--;
    connection.use = undefined;
  }

  #isClosing(): boolean {
    return this.#closesUntil > 0 && this.#closesUntil > this.#deps.clock.now();
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
      this.#use(connection, wish);
      return connection;
    }
    return undefined;
  }

  /** Assigns a connection that has become free to the request that has waited longest. */
  #handOver(connection: TcpConnection): boolean {
    const request = this.#waiting.find(({ wish }) =>
      !wish.isFresh && isFit(connection, wish) && this.#connections.isLeftFor(wish.identity)
    );
    if (request === undefined) return false;
    const { wish, signal, since, abort, resolve, reject } = request;
    this.#waiting.remove(request);
    this.#deps.countIdle(-1);
    connection.endIdle();
    this.#use(connection, wish);
    if (signal.aborted) {
      connection.close();
      reject(signal.reason);
      return true;
    }
    // Without a listener, the request has waited for a turn of the event loop only.
    const times = abort && { connectMs: this.#deps.clock.now() - since, tlsMs: undefined };
    resolve({ connection, times });
    return true;
  }

  /** Opens connections for the requests that wait, unless enough are about to be there. */
  #dialMore(): void {
    while (this.#dials.size + this.#settling < this.#waiting.length) {
      // Only connections that do for none of the requests are idle while requests wait.
      const isFull = this.#connections.size + this.#dials.size >= this.#deps.maxPerHost;
      if (!this.#hasRoom() && !(isFull && this.#idle.length > 0)) return;
      const request = this.#waiting.find((each) => each.dial === undefined && this.#mayDial(each));
      if (request === undefined) return;
      if (isFull) this.#idle[0]?.close();
      if (!this.#hasRoom()) return;
      this.#dial(request);
    }
  }

  /** Reports whether one more connection may be opened. */
  #hasRoom(): boolean {
    const { maxPerHost, maxDialsPerHost } = this.#deps;
    return this.#dials.size < maxDialsPerHost &&
      this.#connections.size + this.#dials.size < maxPerHost;
  }

  #mayDial({ wish: { identity } }: WaitingRequest): boolean {
    return this.#connections.isLeftFor(identity, this.#dials.size);
  }

  #dial(request: WaitingRequest): void {
    const dial = request.dial = new AbortController();
    const startedAt = this.#deps.clock.now();
    const { addresses } = request.wish;
    this.#dials.add(request);
    const use = this.#connections.useOf(request.wish.identity);
    if (use !== undefined) use.dials++;
    const ended = (): void => {
      this.#dials.delete(request);
      if (use !== undefined) use.dials--;
    };
    const target = { ...this.#target, addresses: addresses && this.#lastFirst(addresses) };
    this.#deps.dial(target, dial.signal).then((dialed) => {
      ended();
      this.#opened(dialed, request);
    }, (error) => {
      ended();
      this.#notOpened(error, request, startedAt);
    });
  }

  #lastFirst(addresses: readonly string[]): readonly string[] {
    const last = this.#lastAddress;
    if (last === undefined || addresses[0] === last || !addresses.includes(last)) return addresses;
    return [last, ...addresses.filter((address) => address !== last)];
  }

  #opened({ tcp, address, times }: Dialed, request: WaitingRequest): void {
    if (this.#isDisposed) return tcp.close();
    this.#lastAddress = address;
    const connection = new TcpConnection(tcp, address, this);
    this.#connections.add(connection);
    const taker = this.#waiting.find((each) => each === request) ??
      this.#waiting.find(({ wish }) => isFit(connection, wish));
    if (taker === undefined) return this.#deps.release(connection);
    this.#waiting.remove(taker);
    this.#use(connection, taker.wish);
    const connectMs = this.#deps.clock.now() - taker.since;
    taker.resolve({
      connection,
      times: taker === request ? times : { connectMs, tlsMs: undefined },
    });
    this.#dialMore();
  }

  #notOpened(error: unknown, request: WaitingRequest, startedAt: number): void {
    const isLate = error instanceof ProxyError && error.code === "connection_timeout";
    // Requests that have waited just as long would try the same, and wait as long again.
    this.#waiting.fail(
      error,
      (each) => each === request || isLate && each.dial === undefined && each.since <= startedAt,
    );
    this.#dialMore();
    this.#leaveIfUnused();
  }

  #leaveIfUnused(): void {
    const isUnused = this.#connections.size === 0 && this.#dials.size === 0 &&
      this.#waiting.length === 0;
    if (isUnused) this.#deps.abandoned(this);
  }
}

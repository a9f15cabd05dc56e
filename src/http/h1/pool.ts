/**
 * The connections of a client, by host; idle ones are kept until they are used again (RFC 9112 §9.3).
 *
 * @module
 */
import type { Cancel, Clock } from "../../clock.ts";
import type { UpstreamRoute } from "../transport.ts";
import { badPort } from "../failures.ts";
import { withoutBrackets } from "../grammar.ts";
import { setNewest } from "../newest.ts";
import { isBadPort } from "./connect.ts";
import type { TcpConnection } from "./connection.ts";
import type { Dial } from "./dial.ts";
import { Host, type HostDeps } from "./host.ts";

/** How many connections there may be, and how long idle ones are kept. */
export interface PoolLimits {
  /** Connections to one host, used and idle. */
  readonly maxPerHost: number;
  /** Connections to one host that are being opened at a time. */
  readonly maxDialsPerHost: number;
  /** Idle connections in total; at least 1. */
  readonly maxIdle: number;
  /** The time in milliseconds after which an idle connection is closed, at the latest after twice as much. */
  readonly idleMs: number;
}

// How long connections to a host are not used again after it has sent what no request asked for, and of how many hosts
// that is remembered.
const DISTRUST_MS = 600_000;
const MAX_DISTRUSTED = 1024;
const DEFAULT_PORTS = { http: 80, https: 443 };

/** The connections of a client that speak TLS, or those that do not. Disposing of the pool closes the idle ones. */
export class Pool implements Disposable {
  readonly #limits: PoolLimits;
  readonly #clock: Clock;
  readonly #isTls: boolean;
  readonly #hosts = new Map<string, Host>();
  readonly #hostsOfRoutes = new WeakMap<UpstreamRoute, Map<string, Host>>();
  readonly #all = new Set<Host>();
  readonly #deps: Omit<HostDeps, "abandoned" | "closesUntil" | "sentUnasked">;
  /** Until when no connection to a host is used again, for hosts that have sent what no request asked for. */
  readonly #closesUntil = new Map<string, number>();
  /** Connections that became idle in this turn of the event loop, and in the turn before. */
  #justIdle: TcpConnection[] = [];
  #settling: TcpConnection[] = [];
  #idle = 0;
  /** How many connections have become idle, and how many had at the last sweep. */
  #order = 0;
  #swept = 0;
  #stop: Cancel | undefined = undefined;
  #isDisposed = false;

  constructor(
    limits: PoolLimits,
    { clock, dial, isTls }: { readonly clock: Clock; readonly dial: Dial; readonly isTls: boolean },
  ) {
    const { maxPerHost, maxDialsPerHost } = limits;
    this.#limits = limits;
    this.#clock = clock;
    this.#isTls = isTls;
    const countIdle = (change: number): void => void (this.#idle += change);
    const release = (connection: TcpConnection): void => this.release(connection);
    this.#deps = { dial, clock, maxPerHost, maxDialsPerHost, release, countIdle };
  }

  /**
   * Returns the connections to the host of a URL. Requests with different routes share no connection.
   *
   * @throws {ProxyError} `http_request_denied`: the port is one that `fetch` does not connect to.
   */
  host(url: URL, route: UpstreamRoute | undefined): Host {
    const hosts = route === undefined ? this.#hosts : this.#hostsOf(route);
    const key = url.host;
    let host = hosts.get(key);
    if (host !== undefined) return host;
    const isTls = this.#isTls;
    const port = url.port === "" ? DEFAULT_PORTS[isTls ? "https" : "http"] : Number(url.port);
    if (isBadPort(port)) throw badPort();
    const hostname = withoutBrackets(url.hostname);
    host = new Host({ hostname, port, isTls, tls: route?.tls }, {
      ...this.#deps,
      closesUntil: this.#closesUntil.get(key) ?? 0,
      sentUnasked: () => this.#distrust(key),
      abandoned: (host) => {
        this.#all.delete(host);
        if (hosts.get(key) === host) hosts.delete(key);
      },
    });
    hosts.set(key, host);
    this.#all.add(host);
    return host;
  }

  /**
   * Keeps a connection that has become idle, or closes it when there are enough. It is used again once the event loop has
   * looked for input: bytes that a server sent without a request close it before.
   */
  release(connection: TcpConnection): void {
    if (this.#isDisposed || this.#idle >= this.#limits.maxIdle && !this.#makeRoom()) {
      return connection.close();
    }
    connection.idleOrder = ++this.#order;
    connection.keeper?.release(connection);
    if (connection.isClosed) return;
    if (this.#justIdle.length === 0 && this.#settling.length === 0) {
      this.#clock.soon(() => this.#turn());
    }
    this.#justIdle.push(connection);
    this.#stop ??= this.#clock.every(this.#limits.idleMs, () => this.#sweep());
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#stop?.();
    for (const connection of [...this.#justIdle, ...this.#settling]) connection.close();
    for (const host of [...this.#all]) host[Symbol.dispose]();
  }

  #hostsOf(route: UpstreamRoute): Map<string, Host> {
    let hosts = this.#hostsOfRoutes.get(route);
    if (hosts === undefined) this.#hostsOfRoutes.set(route, hosts = new Map());
    return hosts;
  }

  #distrust(key: string): number {
    const until = this.#clock.now() + DISTRUST_MS;
    setNewest(this.#closesUntil, [key, until], MAX_DISTRUSTED);
    return until;
  }

  #turn(): void {
    const settled = this.#settling;
    this.#settling = this.#justIdle;
    this.#justIdle = [];
    if (this.#settling.length > 0) this.#clock.soon(() => this.#turn());
    for (const connection of settled) connection.keeper?.settled(connection);
  }

  /** Closes the connections that have been idle since before the last sweep. Thus no time is measured for each. */
  #sweep(): void {
    for (const host of [...this.#all]) host.closeIdle(this.#swept);
    this.#swept = this.#order;
    if (this.#idle > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Closes the connection that has been idle longest, in favour of one that was just used. */
  #makeRoom(): boolean {
    let oldest: TcpConnection | undefined;
    for (const { oldest: each } of this.#all) {
      if (each === undefined) continue;
      if (oldest === undefined || each.idleOrder < oldest.idleOrder) oldest = each;
    }
    oldest?.close();
    return oldest !== undefined;
  }
}

/**
 * Opens a connection that is ready for a request: looks the name up unless its addresses were checked, connects to the
 * first address that accepts, and makes the TLS handshake, all within one deadline.
 *
 * @module
 */
import { abortable } from "@std/async/abortable";
import type { Clock } from "../../clock.ts";
import { ProxyError } from "../../protocol/mod.ts";
import { connectTimedOut, handshakeTimedOut, keepsSockets, lookupTimedOut } from "../failures.ts";
import { isAddress } from "../grammar.ts";
import { setNewest } from "../newest.ts";
import { toTlsFailure } from "../tls_failure.ts";
import type { ConnectTimes, UpstreamTls } from "../transport.ts";
import { ClosingSockets } from "./closing_sockets.ts";
import {
  connectTcp,
  connectWithCertificate,
  startTls,
  type TcpAddress,
  type TlsServer,
  toConnectError,
} from "./connect.ts";
import type { Tcp } from "./connection.ts";
import { connectToFirst, type Winner } from "./happy_eyeballs.ts";
import { TlsSocket } from "./tls_socket.ts";

/** The server to connect to. */
export interface DialTarget {
  /** A name or an address, without brackets. */
  readonly hostname: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly tls: UpstreamTls | undefined;
  /** The addresses that were checked; `undefined` when the name is looked up here. */
  readonly addresses: readonly string[] | undefined;
}

/** A connection that is ready for a request. */
export interface Dialed {
  readonly tcp: Tcp;
  /** The address that was connected to; the name where the system looked it up. */
  readonly address: string;
  readonly times: ConnectTimes;
}

/**
 * Opens a connection.
 *
 * @throws {ProxyError} Always with `sent: "no"`; or the signal's reason.
 */
export type Dial = (target: DialTarget, signal: AbortSignal) => Promise<Dialed>;

/** What connections are opened with. */
export interface DialDeps {
  readonly clock: Clock;
  /** The time for everything until the connection is ready, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Looks up a name that was not checked. Absent: the system does, when it connects. */
  readonly lookup?: Lookup | undefined;
  /** Certificates of authorities that are trusted in addition to those of the platform, in PEM. */
  readonly caCerts?: readonly string[] | undefined;
  /** Counts TLS sockets that are being closed. */
  readonly closing?: ClosingSockets | undefined;
  /** Makes connections without TLS. Default: {@linkcode connectTcp}. */
  readonly connect?: ((address: TcpAddress) => Promise<Tcp>) | undefined;
}

// For how long, and of how many addresses, a failed handshake is remembered.
const FAILED_MS = 60_000;
const MAX_FAILED = 256;

type Lookup = (hostname: string) => readonly string[] | Promise<readonly string[]>;

/** How far an attempt has come. */
interface Progress {
  step: keyof typeof LATE;
}

// The error of each step that does not end in time.
const LATE = { lookup: lookupTimedOut, connect: connectTimedOut, handshake: handshakeTimedOut };

/** Creates a {@linkcode Dial}. */
export function createDial(
  {
    clock,
    connectTimeoutMs,
    lookup,
    caCerts = [],
    closing = new ClosingSockets(),
    connect = connectTcp,
  }: DialDeps,
): Dial {
  /** The addresses whose handshake failed, and when. */
  const failed = new Map<string, number>();

  async function findAddresses(
    { addresses, hostname }: DialTarget,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    if (addresses !== undefined) return addresses;
    if (lookup === undefined || isAddress(hostname)) return [hostname];
    return await abortable(Promise.resolve(lookup(hostname)), signal);
  }

  /**
   * Returns the addresses without those that keep too many sockets from being closed, and with those last whose handshake
   * has just failed.
   */
  function inOrder(addresses: readonly string[], isTls: boolean): readonly string[] {
    if (!isTls) return addresses;
    const allowed = addresses.filter((address) => !closing.isFull(address));
    if (allowed.length === 0 && addresses.length > 0) throw keepsSockets();
    if (allowed.length < 2 || failed.size === 0) return allowed;
    const since = clock.now() - FAILED_MS;
    const hasFailed = (address: string): boolean => (failed.get(address) ?? -Infinity) > since;
    return [
      ...allowed.filter((address) => !hasFailed(address)),
      ...allowed.filter(hasFailed),
    ];
  }

  async function connectToAny<Connection extends Tcp>(
    target: DialTarget,
    { signal, progress, by }: {
      readonly signal: AbortSignal;
      readonly progress: Progress;
      readonly by: (address: TcpAddress) => Promise<Connection>;
    },
  ): Promise<Winner<Connection>> {
    const addresses = inOrder(await findAddresses(target, signal), target.isTls);
    progress.step = "connect";
    const { port } = target;
    return await connectToFirst(addresses, {
      connect: (hostname, signal) => by({ hostname, port, signal }),
      signal,
      clock,
    });
  }

  async function open(
    target: DialTarget,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<Dialed> {
    const { hostname, port, isTls, tls } = target;
    const trusted = tls?.ca === undefined ? caCerts : [...caCerts, tls.ca];
    const startedAt = clock.now();
    if (!isTls) {
      const won = await connectToAny(target, { signal, progress, by: connect });
      const times = { connectMs: clock.now() - startedAt, tlsMs: undefined };
      return { tcp: won.connection, address: won.address, times };
    }
    let connection: Deno.TlsConn;
    let address = hostname;
    let connectedAt: number;
    if (tls?.cert === undefined || tls.key === undefined) {
      const won = await connectToAny(target, { signal, progress, by: connectTcp });
      address = won.address;
      connectedAt = clock.now();
      progress.step = "handshake";
      connection = await startTlsOrClose(won.connection, { serverName: hostname, trusted });
    } else {
      const { cert, key } = tls;
      if (closing.isFull(hostname)) throw keepsSockets();
      progress.step = "connect";
      const connecting = connectWithCertificate({ hostname, port, signal }, { trusted, cert, key });
      connection = await abortable(connecting, signal);
      connectedAt = clock.now();
      progress.step = "handshake";
    }
    const tcp = new TlsSocket(connection, { address, closing });
    await shakeHands(tcp, signal).catch((error) => {
      setNewest(failed, [address, clock.now()], MAX_FAILED);
      throw error;
    });
    const times = { connectMs: connectedAt - startedAt, tlsMs: clock.now() - connectedAt };
    return { tcp, address, times };
  }

  return async function dial(target, signal): Promise<Dialed> {
    signal.throwIfAborted();
    const progress: Progress = { step: "lookup" };
    const controller = new AbortController();
    const abort = (): void => controller.abort(signal.reason);
    signal.addEventListener("abort", abort);
    const cancel = clock.after(
      connectTimeoutMs,
      () => controller.abort(LATE[progress.step]()),
    );
    try {
      return await open(target, controller.signal, progress);
    } catch (thrown) {
      if (controller.signal.aborted) throw controller.signal.reason;
      if (thrown instanceof ProxyError) throw thrown;
      throw progress.step === "handshake" ? toTlsFailure(thrown) : toConnectError(thrown);
    } finally {
      cancel();
      signal.removeEventListener("abort", abort);
    }
  };
}

/** Makes a TCP connection into a TLS connection; when this fails, the TCP connection is closed. */
async function startTlsOrClose(tcp: Deno.TcpConn, server: TlsServer): Promise<Deno.TlsConn> {
  try {
    return await startTls(tcp, server);
  } catch (error) {
    tcp.close();
    throw error;
  }
}

/** Makes the handshake; when it fails, or the signal is aborted, the connection is closed. */
async function shakeHands(socket: TlsSocket, signal: AbortSignal): Promise<void> {
  const close = (): void => socket.close();
  signal.addEventListener("abort", close);
  try {
    signal.throwIfAborted();
    await socket.handshake();
    signal.throwIfAborted();
  } catch (error) {
    close();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

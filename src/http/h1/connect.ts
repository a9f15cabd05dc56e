/**
 * Makes TCP and TLS connections: the only file that opens connections to destinations.
 *
 * @module
 */
import type { ProxyError } from "../../protocol/mod.ts";
import { connectTimedOut, refused, unreachable, unresolved } from "../failures.ts";

// WHATWG Fetch, "bad port": the ports of services that might take the text of a request for their own protocol.
const BAD_PORTS: ReadonlySet<number> = new Set([
  ...[0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95],
  ...[101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179],
  ...[389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601],
  ...[636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566],
  ...[6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080],
]);

// HTTP/1.1 is all that these connections speak (RFC 7301).
const ALPN = ["http/1.1"];

/** Reports whether `fetch` refuses to connect to a port. */
export function isBadPort(port: number): boolean {
  return BAD_PORTS.has(port);
}

/** Where to connect, and the signal that ends the attempt. */
export interface TcpAddress {
  readonly hostname: string;
  readonly port: number;
  readonly signal: AbortSignal;
}

/** The server that a TLS connection has to reach. */
export interface TlsServer {
  /** The name or address that the certificate has to be valid for; a name is also sent (RFC 6066 §3). */
  readonly serverName: string;
  /** Certificates of authorities that are trusted in addition to those of the platform, in PEM. */
  readonly trusted: readonly string[];
}

/** The certificate that the service presents to a server, and the authorities that the server is trusted by. */
export interface ClientCertificate {
  readonly trusted: readonly string[];
  /** With its chain, in PEM. */
  readonly cert: string;
  readonly key: string;
}

/**
 * Connects, without Nagle's algorithm. May return a connection although the signal has just been aborted.
 *
 * @throws What `Deno.connect` throws, or the signal's reason.
 */
export async function connectTcp(
  { hostname, port, signal }: TcpAddress,
): Promise<Deno.TcpConn> {
  signal.throwIfAborted();
  const controller = new AbortController();
  // Once connected, Deno calls this function of its signal; if that throws, the connection is never closed.
  Object.defineProperty(controller.signal, "throwIfAborted", { value: () => {} });
  const abort = (): void => controller.abort();
  signal.addEventListener("abort", abort);
  try {
    const tcp = await Deno.connect({ hostname, port, signal: controller.signal });
    disableNagle(tcp);
    return tcp;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Makes a TCP connection into a TLS connection, whose handshake has not been made.
 *
 * @throws What `Deno.startTls` throws.
 */
export function startTls(
  tcp: Deno.TcpConn,
  { serverName, trusted }: TlsServer,
): Promise<Deno.TlsConn> {
  return Deno.startTls(tcp, {
    hostname: serverName,
    alpnProtocols: ALPN,
    ...(trusted.length > 0 && { caCerts: [...trusted] }),
  });
}

/**
 * Connects with a client certificate, which `Deno.startTls` does not support: to a host that is looked up here.
 *
 * @returns The TLS connection, whose handshake has not been made.
 * @throws What `Deno.connectTls` throws, or the signal's reason.
 */
export async function connectWithCertificate(
  { hostname, port, signal }: TcpAddress,
  { trusted, cert, key }: ClientCertificate,
): Promise<Deno.TlsConn> {
  signal.throwIfAborted();
  const connection = await Deno.connectTls({
    hostname,
    port,
    alpnProtocols: ALPN,
    cert,
    key,
    ...(trusted.length > 0 && { caCerts: [...trusted] }),
  });
  if (signal.aborted) {
    connection.close();
    throw signal.reason;
  }
  disableNagle(connection);
  return connection;
}

/**
 * Returns the error of a TCP connection that was not made.
 *
 * @param thrown What `Deno.connect` was rejected with.
 */
export function toConnectError(thrown: unknown): ProxyError {
  const options = { cause: thrown };
  if (thrown instanceof Deno.errors.ConnectionRefused) return refused(options);
  if (thrown instanceof Deno.errors.TimedOut) return connectTimedOut(options);
  const isLookup = thrown instanceof Error &&
    /lookup address|no addresses|resolve/i.test(thrown.message);
  return isLookup ? unresolved(options) : unreachable(options);
}

function disableNagle(connection: Deno.TcpConn | Deno.TlsConn): void {
  try {
    if ("setNoDelay" in connection) connection.setNoDelay(true);
  } catch {
    // On some systems this fails when the connection has already ended; then reading from the connection fails too.
  }
}

/**
 * An HTTP/1.1 client (RFC 9112) for `http:` URLs, over TCP connections that are used again. A request takes
 * less than half the CPU time that it takes with Deno's `fetch`: no objects of the Fetch standard are made.
 *
 * @module
 */
import { type Clock, systemClock } from "../../clock.ts";
import { isIdempotent, ProxyError } from "../../protocol/mod.ts";
import { badPort, noAddress, terminated } from "../failures.ts";
import type { Transport, TransportRequest, TransportResponse } from "../transport.ts";
import { type ChunkedBodyWriter, writeChunkedBody } from "./chunked_body_writer.ts";
import { connectTcp, isBadPort, type TcpAddress, toConnectError } from "./connect.ts";
import { createTcpConnection, type Tcp, type TcpConnection } from "./connection.ts";
import { createPool } from "./pool.ts";
import { createReadHead } from "./read_head.ts";
import { encodeRequestHead } from "./request_head.ts";
import { framingOf, Http1Body } from "./response.ts";
import type { Http1Head } from "./response_head.ts";

/** A client. Disposed of, it keeps no idle connection. */
export interface Http1Client extends Disposable {
  readonly request: Transport;
}

/** What a client keeps, and how it connects. */
export interface Http1Options {
  /** Idle connections to one address of one host; at least 1. */
  readonly maxIdlePerHost: number;
  /** Idle connections in all. Default 2048; each takes a file descriptor and 20 KB. */
  readonly maxIdle?: number;
  /** How long a connection is kept idle, in milliseconds, or up to as much again. Default 30 s. */
  readonly idleMs?: number;
  /** Default: `Deno.connect`, without Nagle's algorithm. */
  readonly connect?: (address: TcpAddress) => Promise<Tcp>;
  readonly clock?: Clock;
}

/** A connection, and where the pool keeps it. */
interface Pooled {
  readonly connection: TcpConnection;
  readonly key: string;
}

/** A request, its head as text, and where it may go. */
interface OutgoingRequest {
  readonly head: string;
  readonly request: TransportRequest;
  /** Addresses, or a name to look up. */
  readonly hosts: readonly string[];
  readonly port: number;
}

const DEFAULT_PORT = 80;
const MAX_IDLE = 2048;
const IDLE_MS = 30_000;
// A server that says that it closes the connection soon may do so while a request is on its way.
const MARGIN_MS = 1000;

/** Creates an {@linkcode Http1Client}. */
export function createHttp1Client(
  {
    maxIdlePerHost,
    maxIdle = MAX_IDLE,
    idleMs = IDLE_MS,
    connect = connectTcp,
    clock = systemClock,
  }: Http1Options,
): Http1Client {
  const pool = createPool({ maxPerKey: maxIdlePerHost, max: maxIdle, idleMs }, clock);
  const readHead = createReadHead();

  function takeIdle({ hosts, request: { url } }: OutgoingRequest): Pooled | undefined {
    for (const host of hosts) {
      const key = toKey(host, url);
      const connection = pool.take(key);
      if (connection !== undefined) return { connection, key };
    }
    return undefined;
  }

  /** Tries the addresses in turn. */
  async function open(
    { hosts, port, request: { url } }: OutgoingRequest,
    signal: AbortSignal,
  ): Promise<Pooled> {
    let failure = noAddress();
    for (const hostname of hosts) {
      try {
        const tcp = await connect({ hostname, port, signal });
        if (signal.aborted) tcp.close();
        else return { connection: createTcpConnection(tcp), key: toKey(hostname, url) };
      } catch (thrown) {
        failure = toConnectError(thrown);
      }
      signal.throwIfAborted();
    }
    throw failure;
  }

  /** Sends the request and reads the head of its response. */
  async function send(
    pooled: Pooled,
    { head, request: { method, body } }: OutgoingRequest,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    const { connection } = pooled;
    const { close } = connection;
    let writer: ChunkedBodyWriter | undefined;
    signal.addEventListener("abort", close);

    function end(): void {
      signal.removeEventListener("abort", close);
      writer?.close();
    }

    try {
      signal.throwIfAborted();
      if (body instanceof ReadableStream) writer = writeChunkedBody(connection, head, body);
      else connection.writeHead(head, body).catch(ignore); // the reader is told as well
      const response = await readHead(connection, method);
      const ended = (isReusable: boolean): void => {
        end();
        const isSent = writer?.isComplete !== false && !connection.isWriting;
        const isOpen = response.keepAlive && !connection.isClosed; // what has arrived outlives an abort
        if (isReusable && isSent && isOpen) keep(pooled, response);
        else close();
      };
      const { status, statusText, headers } = response;
      const responseBody = new Http1Body(framingOf(method, response), {
        connection,
        method,
        signal,
        ended,
      });
      return { status, statusText, headers, decoded: false, body: responseBody };
    } catch (thrown) {
      end();
      close();
      if (signal.aborted) throw signal.reason;
      throw thrown instanceof ProxyError ? thrown : terminated(method, writer?.failure ?? thrown);
    }
  }

  function keep({ connection, key }: Pooled, { keepAliveSeconds }: Http1Head): void {
    if (keepAliveSeconds === undefined) connection.expiresAt = Infinity;
    else if (keepAliveSeconds * 1000 <= MARGIN_MS) return connection.close();
    else connection.expiresAt = clock.now() + keepAliveSeconds * 1000 - MARGIN_MS;
    pool.put(key, connection);
  }

  async function request(
    request: TransportRequest,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    const { method, url, headers, body } = request;
    const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
    if (isBadPort(port)) throw badPort();
    const outgoing = {
      head: encodeRequestHead({ method, url, headers, length: lengthOf(body) }),
      request,
      hosts: request.addresses ?? [withoutBrackets(url.hostname)],
      port,
    };
    const idle = takeIdle(outgoing);
    if (idle !== undefined) {
      try {
        return await send(idle, outgoing, signal);
      } catch (error) {
        if (!isUnheard(idle.connection, error) || !isRepeatable(request)) throw error;
      }
    }
    return await send(await open(outgoing, signal), outgoing, signal);
  }

  return { request, [Symbol.dispose]: () => pool[Symbol.dispose]() };
}

/** The server may have closed an idle connection before it saw the request (RFC 9112 §9.3.1). */
function isUnheard({ isStale }: TcpConnection, error: unknown): boolean {
  return isStale && error instanceof ProxyError && error.code === "connection_terminated";
}

function isRepeatable({ method, body }: TransportRequest): boolean {
  return isIdempotent(method) && !(body instanceof ReadableStream);
}

function lengthOf(body: TransportRequest["body"]): number | "chunked" | undefined {
  if (body === null) return undefined;
  return body instanceof ReadableStream ? "chunked" : body.byteLength;
}

/** Hosts that share an address share no connection: the response of one must never reach another's request. */
function toKey(address: string, { host }: URL): string {
  return `${address} ${host}`;
}

/** An IPv6 address stands in brackets in a URL only. */
function withoutBrackets(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

function ignore(): void {}

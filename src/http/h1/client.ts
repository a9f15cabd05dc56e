/**
 * An HTTP/1.1 client (RFC 9112) for `http:` URLs, over TCP connections that are used again. A request takes
 * less than half the CPU time that it takes with Deno's `fetch`: there are no objects of the Fetch standard in
 * between.
 *
 * @module
 */
import type { Transport, TransportRequest, TransportResponse } from "../transport.ts";
import { isIdempotent, ProxyError } from "../../protocol/mod.ts";
import { type ConnectOptions, connectTcp, isBadPort, toConnectError } from "./connect.ts";
import { type Connection, createConnection, type Tcp } from "./connection.ts";
import { createPool, type PoolDeps } from "./pool.ts";
import { createReadHead, terminated } from "./read_head.ts";
import { encodeRequestHead } from "./request_head.ts";
import { createResponse } from "./response.ts";
import type { ResponseHead } from "./response_head.ts";
import { createUpload, type Upload } from "./upload.ts";

/** A client. Disposed of, it keeps no connection that rests. */
export interface Http1Client extends Disposable {
  readonly request: Transport;
}

/** What a client keeps. */
export interface Http1ClientOptions {
  /** Connections to one address of one host that rest until they are used again; at least 1. */
  readonly maxIdlePerHost: number;
  /** Such connections in all. Default 2048; each takes a file descriptor and 20 KB. */
  readonly maxIdle?: number;
  /** How long one rests, in milliseconds, or up to as much again. Default 30 s. */
  readonly idleMs?: number;
}

/** What a client works with. */
export interface Http1ClientDeps extends Partial<PoolDeps> {
  /** Default: `Deno.connect`, without Nagle's algorithm. */
  readonly connect?: (options: ConnectOptions) => Promise<Tcp>;
}

/** A connection, and where the pool keeps it. */
interface Held {
  readonly connection: Connection;
  readonly key: string;
}

/** A request, its head as text, and where it may go. */
interface Outgoing {
  readonly head: string;
  readonly request: TransportRequest;
  /** Addresses, or a name to look up. */
  readonly hosts: readonly string[];
  readonly port: number;
}

const DEFAULT_PORT = 80;
const MAX_IDLE = 2048;
// A server that says that it closes the connection soon may do so while a request is on its way.
const MARGIN_MS = 1000;

/** Creates an {@linkcode Http1Client}. */
export function createHttp1Client(
  { maxIdlePerHost, maxIdle = MAX_IDLE, idleMs = 30_000 }: Http1ClientOptions,
  { connect = connectTcp, now = () => performance.now(), repeat = repeatQuietly }: Http1ClientDeps =
    {},
): Http1Client {
  const pool = createPool({ maxPerKey: maxIdlePerHost, max: maxIdle, idleMs }, { now, repeat });
  const readHead = createReadHead();

  function takeResting({ hosts, request: { url } }: Outgoing): Held | undefined {
    for (const host of hosts) {
      const key = toKey(host, url);
      const connection = pool.take(key);
      if (connection !== undefined) return { connection, key };
    }
    return undefined;
  }

  /** Tries the addresses in turn. */
  async function open(
    { hosts, port, request: { url } }: Outgoing,
    signal: AbortSignal,
  ): Promise<Held> {
    let failure = new ProxyError("dns_error", "The host has no address");
    for (const hostname of hosts) {
      try {
        const tcp = await connect({ hostname, port, signal });
        if (signal.aborted) tcp.close();
        else return { connection: createConnection(tcp), key: toKey(hostname, url) };
      } catch (thrown) {
        failure = toConnectError(thrown);
      }
      signal.throwIfAborted();
    }
    throw failure;
  }

  /** Makes the exchange up to the head of its response. */
  async function exchange(
    held: Held,
    { head, request: { method, body } }: Outgoing,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    const { connection } = held;
    const { close } = connection;
    let upload: Upload | undefined;
    signal.addEventListener("abort", close);

    function end(): void {
      signal.removeEventListener("abort", close);
      upload?.close();
    }

    try {
      signal.throwIfAborted();
      if (body instanceof ReadableStream) upload = createUpload(connection, head, body);
      else connection.writeHead(head, body).catch(ignore); // whoever reads is told as well
      const answer = await readHead(connection, method);
      return createResponse({ connection, method, signal }, answer, (isReusable) => {
        end();
        const isSent = upload?.isComplete !== false && !connection.isWriting;
        const isOpen = answer.keepAlive && !connection.isClosed; // what has come outlives an abort
        if (isReusable && isSent && isOpen) keep(held, answer);
        else close();
      });
    } catch (thrown) {
      end();
      close();
      if (signal.aborted) throw signal.reason;
      throw thrown instanceof ProxyError ? thrown : terminated(method, upload?.failure ?? thrown);
    }
  }

  function keep({ connection, key }: Held, { keepAliveSeconds }: ResponseHead): void {
    if (keepAliveSeconds === undefined) connection.expiresAt = Infinity;
    else if (keepAliveSeconds * 1000 <= MARGIN_MS) return connection.close();
    else connection.expiresAt = now() + keepAliveSeconds * 1000 - MARGIN_MS;
    pool.put(key, connection);
  }

  async function request(
    request: TransportRequest,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    const { method, url, headers, body } = request;
    const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
    if (isBadPort(port)) {
      throw new ProxyError("http_request_denied", "Fetch does not connect to this port");
    }
    const outgoing = {
      head: encodeRequestHead({ method, url, headers, length: lengthOf(body) }),
      request,
      hosts: request.addresses ?? [withoutBrackets(url.hostname)],
      port,
    };
    const resting = takeResting(outgoing);
    if (resting !== undefined) {
      try {
        return await exchange(resting, outgoing, signal);
      } catch (error) {
        if (!isUnheard(resting.connection, error) || !isRepeatable(request)) throw error;
      }
    }
    return await exchange(await open(outgoing, signal), outgoing, signal);
  }

  return { request, [Symbol.dispose]: () => pool[Symbol.dispose]() };
}

/** The server may have closed a connection that rested before it saw the request (RFC 9112 §9.3.1). */
function isUnheard({ isStale }: Connection, error: unknown): boolean {
  return isStale && error instanceof ProxyError && error.code === "connection_terminated";
}

function isRepeatable({ method, body }: TransportRequest): boolean {
  return isIdempotent(method) && !(body instanceof ReadableStream);
}

function lengthOf(body: TransportRequest["body"]): number | "chunked" | undefined {
  if (body === null) return undefined;
  return body instanceof ReadableStream ? "chunked" : body.byteLength;
}

/** Hosts that share an address share no connection: the answer for one must never reach another's request. */
function toKey(address: string, { host }: URL): string {
  return `${address} ${host}`;
}

/** An IPv6 address stands in brackets in a URL only. */
function withoutBrackets(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

function repeatQuietly(callback: () => void, everyMs: number): () => void {
  const timer = setInterval(callback, everyMs);
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}

function ignore(): void {}

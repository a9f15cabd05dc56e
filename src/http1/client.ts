/**
 * An HTTP/1.1 client (RFC 9112) for `http:` URLs, over TCP connections that are used again. A request takes
 * less than half the CPU time that it takes with Deno's `fetch`: there are no objects of the Fetch standard in
 * between.
 *
 * @module
 */
import type { Transport, TransportRequest, TransportResponse } from "../forward/transport.ts";
import { isIdempotent, ProxyError } from "../protocol/mod.ts";
import { isBadPort, toConnectError } from "./connect.ts";
import { type Connection, createConnection, type Tcp } from "./connection.ts";
import { createPool, type PoolDeps } from "./pool.ts";
import { encodeRequestHead } from "./request_head.ts";
import { createResponse } from "./response.ts";
import {
  createParseHead,
  findHeadEnd,
  isHeadPossible,
  MAX_HEAD_BYTES,
  notHttp,
  type ResponseHead,
} from "./response_head.ts";
import { createUpload, type Upload } from "./upload.ts";

/** A client. Disposed of, it keeps no connection that rests. */
export interface Http1Client extends Disposable {
  readonly request: Transport;
}

/** What a client keeps. */
export interface Http1ClientOptions {
  /** Connections to one address that rest until they are used again. */
  readonly maxIdlePerHost: number;
  /** How long one rests, in milliseconds, or up to as much again. Default 30 s. */
  readonly idleMs?: number;
}

/** What a client works with. */
export interface Http1ClientDeps extends Partial<PoolDeps> {
  /** Default: `Deno.connect`, without Nagle's algorithm. */
  readonly connect?: (options: Deno.ConnectOptions) => Promise<Tcp>;
}

/** A connection, and where the pool keeps it. */
interface Held {
  readonly connection: Connection;
  readonly key: string;
}

/** A request, and its head as text. */
interface Outgoing {
  readonly head: string;
  readonly request: TransportRequest;
}

const DEFAULT_PORT = 80;
const SWITCHING_PROTOCOLS = 101;
// A server that says that it closes the connection soon may do so while a request is on its way.
const MARGIN_MS = 1000;

/** Creates an {@linkcode Http1Client}. */
export function createHttp1Client(
  { maxIdlePerHost, idleMs = 30_000 }: Http1ClientOptions,
  { connect = connectTcp, now = () => performance.now(), repeat = repeatQuietly }: Http1ClientDeps =
    {},
): Http1Client {
  const pool = createPool({ maxPerKey: maxIdlePerHost, idleMs }, { now, repeat });
  const parseHead = createParseHead();

  function takeResting(hosts: readonly string[], port: number): Held | undefined {
    for (const host of hosts) {
      const key = toKey(host, port);
      const connection = pool.take(key);
      if (connection !== undefined) return { connection, key };
    }
    return undefined;
  }

  /** Tries the addresses in turn. */
  async function open(hosts: readonly string[], port: number, signal: AbortSignal): Promise<Held> {
    let failure = new ProxyError("dns_error", "The host has no address");
    for (const hostname of hosts) {
      try {
        const tcp = await connect({ hostname, port, signal });
        if (signal.aborted) tcp.close();
        else return { connection: createConnection(tcp), key: toKey(hostname, port) };
      } catch (thrown) {
        failure = toConnectError(thrown);
      }
      signal.throwIfAborted();
    }
    throw failure;
  }

  /** Makes the exchange up to the head of its response. */
  async function exchange(
    { connection, key }: Held,
    { head, request: { method, body } }: Outgoing,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
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
        if (isReusable && isSent && answer.keepAlive) keep(key, connection, answer);
        else close();
      });
    } catch (thrown) {
      end();
      close();
      if (signal.aborted) throw signal.reason;
      throw thrown instanceof ProxyError ? thrown : terminated(method, upload?.failure ?? thrown);
    }
  }

  async function readHead(connection: Connection, method: string): Promise<ResponseHead> {
    let scanned = 0; // bytes behind `start` in which no end begins
    for (;;) {
      const { memory, start, end } = connection;
      const headEnd = findHeadEnd(memory, start + scanned, end);
      if (headEnd < 0) {
        if (end - start > MAX_HEAD_BYTES || !isHeadPossible(memory, start, end)) throw notHttp();
        scanned = Math.max(0, end - start - 2); // an end may lie across two reads
        if (!await connection.fill()) throw terminated(method);
        continue;
      }
      const head = parseHead(memory, start, headEnd);
      connection.start = headEnd;
      if (head.status === SWITCHING_PROTOCOLS) throw switched();
      if (head.status >= 200) return head;
      scanned = 0; // an interim response is not for the client (RFC 9110 §15.2)
    }
  }

  function keep(key: string, connection: Connection, { keepAliveSeconds }: ResponseHead): void {
    connection.reused = true;
    if (keepAliveSeconds !== undefined) {
      connection.expiresAt = now() + keepAliveSeconds * 1000 - MARGIN_MS;
    }
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
    };
    const hosts = request.addresses ?? [withoutBrackets(url.hostname)];
    const resting = takeResting(hosts, port);
    if (resting !== undefined) {
      try {
        return await exchange(resting, outgoing, signal);
      } catch (error) {
        if (!isStale(resting.connection, error) || !isRepeatable(request)) throw error;
      }
    }
    return await exchange(await open(hosts, port, signal), outgoing, signal);
  }

  return { request, [Symbol.dispose]: () => pool[Symbol.dispose]() };
}

/** The server may have closed a connection that rested before it saw the request (RFC 9112 §9.3.1). */
function isStale({ end }: Connection, error: unknown): boolean {
  return end === 0 && error instanceof ProxyError && error.code === "connection_terminated";
}

function isRepeatable({ method, body }: TransportRequest): boolean {
  return isIdempotent(method) && !(body instanceof ReadableStream);
}

function lengthOf(body: TransportRequest["body"]): number | "chunked" | undefined {
  if (body === null) return undefined;
  return body instanceof ReadableStream ? "chunked" : body.byteLength;
}

function toKey(host: string, port: number): string {
  return `${host} ${port}`;
}

/** An IPv6 address stands in brackets in a URL only. */
function withoutBrackets(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

function terminated(method: string, cause?: unknown): ProxyError {
  return new ProxyError(
    "connection_terminated",
    "The destination closed the connection before it answered",
    { method, cause },
  );
}

function switched(): ProxyError {
  return new ProxyError(
    "http_protocol_error",
    "The destination switched protocols without being asked to",
  );
}

async function connectTcp(options: Deno.ConnectOptions): Promise<Tcp> {
  const tcp = await Deno.connect(options);
  tcp.setNoDelay(true);
  return tcp;
}

function repeatQuietly(callback: () => void, everyMs: number): () => void {
  const timer = setInterval(callback, everyMs);
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}

function ignore(): void {}

/**
 * Reads the arguments of `fetch` into the request that the client sends.
 *
 * @module
 */
import type { HeaderPairs, RedirectMode } from "../protocol/mod.ts";
import type { ClientTimers } from "./timers.ts";
import type { BodySource } from "./upload_sender.ts";

/** Options of a request that `fetch` does not have. */
export interface WsfetchInit {
  /**
   * How long the head of the response may take, in milliseconds. Default and maximum are set by the server.
   */
  readonly timeoutMs?: number;
  /**
   * Sends the request again when the connection to the proxy is lost before the response begins, although the
   * destination may have acted on it. Applies only to idempotent methods (GET, HEAD, OPTIONS, PUT, DELETE), and not
   * to a body that is a stream. Default `false`.
   */
  readonly retry?: boolean;
  /**
   * Whether the server decodes the content codings of the response (`content-encoding`), as `fetch` does. With `false`
   * the body has the bytes that the destination has sent. Default `true`.
   */
  readonly decode?: boolean;
}

/** The platform's `RequestInit` with the options of wsfetch. */
export interface FetchInit extends RequestInit {
  readonly wsfetch?: WsfetchInit;
}

/** The first argument of `fetch`. */
export type FetchInput = string | URL | Request;

/** A request that the client sends. */
export interface OutgoingRequest extends WsfetchInit {
  readonly method: string;
  readonly url: URL;
  readonly headers: HeaderPairs;
  /** Bytes can be sent again, a source cannot. */
  readonly body: Uint8Array<ArrayBuffer> | BodySource | null;
  readonly redirect: RedirectMode;
  readonly signal: AbortSignal | undefined;
}

/** Matches URLs that `Request` and `URL` read alike: absolute, and without `@`, which may precede a host. */
const PLAIN_URL = /^https?:\/\/[^@]+$/i;
/** Bodies of a known size up to this one are read into memory, so that the request can be sent again. */
const MEMORY_BYTES = 1_048_576;
/** How long the body of a `Request` is read before the request is sent with the body as a stream. */
const READ_AHEAD_MS = 5;

/**
 * Returns the request that `fetch(input, init)` would send. The platform's `Request` validates both arguments. `mode`,
 * `credentials`, `cache`, `integrity`, `keepalive` and `referrer` have no effect.
 *
 * @throws {TypeError} where `fetch` does, and for a URL that is neither http nor https nor `name:/path`, which names an
 * upstream of the server.
 */
export function toOutgoingRequest(
  input: FetchInput,
  init: FetchInit | undefined,
  timers: ClientTimers,
): OutgoingRequest | Promise<OutgoingRequest> {
  const isPlain = init === undefined && typeof input === "string" && PLAIN_URL.test(input);
  if (!isPlain) return readRequest(input, init, timers);
  // Creating a Request would take half as long as all other work for a short exchange.
  return {
    method: "GET",
    url: new URL(input),
    headers: [],
    body: null,
    redirect: "follow",
    signal: undefined,
  };
}

async function readRequest(
  input: FetchInput,
  init: FetchInit = {},
  timers: ClientTimers,
): Promise<OutgoingRequest> {
  const isStream = init.body instanceof ReadableStream;
  // `duplex` is required with a stream; "half" is the only value.
  const request = new Request(input, isStream ? { ...init, duplex: "half" } as RequestInit : init);
  const url = new URL(request.url);
  if (!/^https?:|^[a-z][a-z\d-]*:\/(?!\/)/.test(url.href)) {
    throw new TypeError("Only http and https URLs can be fetched");
  }
  // Not the signal of the new request, which stops following the caller's when the request is garbage-collected.
  const signal = init.signal === undefined && input instanceof Request ? input.signal : init.signal;
  return {
    ...init.wsfetch,
    method: request.method,
    url,
    headers: [...request.headers],
    body: await readBody(request, init.body, timers),
    redirect: request.redirect,
    signal: signal ?? undefined,
  };
}

async function readBody(
  request: Request,
  given: BodyInit | null | undefined,
  timers: ClientTimers,
): Promise<OutgoingRequest["body"]> {
  const { body } = request;
  if (body === null) return null;
  // Firefox has no Request.body.
  if (body === undefined || (given && estimateSize(given) <= MEMORY_BYTES)) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    return body === undefined && bytes.byteLength === 0 ? null : bytes;
  }
  const reader = body.getReader();
  return given ? reader : await readAhead(reader, timers);
}

/** Returns the approximate size of a body in bytes, `Infinity` if it is unknown. */
function estimateSize(body: BodyInit): number {
  if (body instanceof FormData) {
    return [...body.values()].reduce((size, value) => size + estimateSize(value), 0);
  }
  // Strings have `length`, Blobs `size`, buffers `byteLength`. URLSearchParams have a `size` too: its number of fields.
  const { length, size, byteLength } = body as Partial<Blob & ArrayBuffer & { length: number }>;
  return length ?? size ?? byteLength ?? Infinity;
}

/** Returns the bytes of a body that is a single chunk and ends in time, and a source of the same bytes otherwise. */
async function readAhead(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  timers: ClientTimers,
): Promise<OutgoingRequest["body"]> {
  const reads = [reader.read(), reader.read()];
  const timeout = new Promise<undefined>((resolve) =>
    timers.setTimeout(() => resolve(undefined), READ_AHEAD_MS)
  );
  // A failed read is ignored here: the upload reads the same promise.
  const ahead = await Promise.race([Promise.all(reads).catch(() => undefined), timeout]);
  if (ahead?.[1]?.done) return ahead[0]?.value ?? new Uint8Array();
  return {
    read: () => reads.shift() ?? reader.read(),
    cancel: (reason) => reader.cancel(reason),
  };
}

/**
 * What a caller hands to `fetch`, made into the request that the server is asked to make.
 *
 * @module
 */
import type { HeaderPairs, RedirectMode } from "../protocol/mod.ts";
import type { Source } from "./upload.ts";

/** What wsfetch can do beyond `fetch`. */
export interface WsfetchInit {
  /**
   * Milliseconds until the response's head has to have come. The default, and the maximum, are the server's.
   */
  readonly timeoutMs?: number;
  /**
   * Sends the request again when the connection to the proxy breaks before the response begins, although the
   * destination may have acted on it. Only where repeating has no further effect (GET, HEAD, OPTIONS, PUT,
   * DELETE), and not when the body is a stream. Default `false`.
   */
  readonly retry?: boolean;
}

/** The platform's `RequestInit`, and what is special to wsfetch. */
export interface FetchInit extends RequestInit {
  readonly wsfetch?: WsfetchInit;
}

/** What `fetch` takes first. */
export type FetchInput = string | URL | Request;

/** A request to be sent. */
export interface OutgoingRequest extends WsfetchInit {
  readonly method: string;
  readonly url: URL;
  readonly headers: HeaderPairs;
  /** Bytes can be sent again; a source, only once. */
  readonly body: Uint8Array<ArrayBuffer> | Source | null;
  readonly redirect: RedirectMode;
  readonly signal: AbortSignal | undefined;
}

/** What a Request reads as `URL` does: absolute and, as far as can be seen, without credentials. */
const PLAIN_URL = /^https?:\/\/[^@]+$/i;
/** A known body up to this size is held in memory, so that it can be sent again. */
const MEMORY_BYTES = 1_048_576;
/** How long reading ahead may hold a request back, in milliseconds. */
const AHEAD_MS = 5;

/**
 * Gives the request that `fetch(input, init)` would make. The platform's own `Request` reads both, and refuses
 * what it refuses. `mode`, `credentials`, `cache`, `integrity`, `keepalive` and `referrer` have no effect.
 *
 * @throws {TypeError} as `fetch` does, and for a URL that is not http or https, nor `name:/path`, which names an
 * upstream that the server knows.
 */
export function toOutgoingRequest(
  input: FetchInput,
  init?: FetchInit,
): OutgoingRequest | Promise<OutgoingRequest> {
  const isPlain = init === undefined && typeof input === "string" && PLAIN_URL.test(input);
  if (!isPlain) return readRequest(input, init);
  // A Request takes as long as half of what a short exchange takes here.
  return {
    method: "GET",
    url: new URL(input),
    headers: [],
    body: null,
    redirect: "follow",
    signal: undefined,
  };
}

async function readRequest(input: FetchInput, init: FetchInit = {}): Promise<OutgoingRequest> {
  const isStream = init.body instanceof ReadableStream;
  // Required with a stream, and the only value that there is.
  const request = new Request(input, isStream ? { ...init, duplex: "half" } as RequestInit : init);
  const url = new URL(request.url);
  if (!/^https?:|^[a-z][a-z\d-]*:\/(?!\/)/.test(url.href)) {
    throw new TypeError("Only http and https URLs can be fetched");
  }
  // The request's own signal follows the caller's only as long as it is not collected.
  const signal = init.signal === undefined && input instanceof Request ? input.signal : init.signal;
  return {
    ...init.wsfetch,
    method: request.method,
    url,
    headers: [...request.headers],
    body: await readBody(request, init.body),
    redirect: request.redirect,
    signal: signal ?? undefined,
  };
}

async function readBody(
  request: Request,
  given: BodyInit | null | undefined,
): Promise<OutgoingRequest["body"]> {
  const { body } = request;
  if (body === null) return null;
  // Firefox has no Request.body.
  if (body === undefined || (given && sizeOf(given) <= MEMORY_BYTES)) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    return body === undefined && bytes.byteLength === 0 ? null : bytes;
  }
  const reader = body.getReader();
  return given ? reader : await readAhead(reader);
}

/** Gives the size of a body, about; `Infinity` when it is not known. */
function sizeOf(body: BodyInit): number {
  if (body instanceof FormData) {
    return [...body.values()].reduce((size, value) => size + sizeOf(value), 0);
  }
  // One of them is there: of a string, of a Blob (and URLSearchParams have few), of bytes.
  const { length, size, byteLength } = body as Partial<Blob & ArrayBuffer & { length: number }>;
  return length ?? size ?? byteLength ?? Infinity;
}

/** Gives the bytes of a body that comes at once and in one piece, else a source of all of it. */
async function readAhead(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
): Promise<OutgoingRequest["body"]> {
  const reads = [reader.read(), reader.read()];
  const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), AHEAD_MS));
  // A read that fails does so again where the body is sent.
  const ahead = await Promise.race([Promise.all(reads).catch(() => undefined), late]);
  if (ahead?.[1]?.done) return ahead[0]?.value ?? new Uint8Array();
  return {
    read: () => reads.shift() ?? reader.read(),
    cancel: (reason) => reader.cancel(reason),
  };
}

/**
 * Makes an HTTP request with fetch: checks every hop before it is made, connects where the check said,
 * and follows redirects by hand.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import {
  type HeaderPairs,
  type HttpResponse,
  ProxyError,
  type RedirectMode,
} from "../protocol/mod.ts";
import { declaredLength, readBody, readChunks } from "./body.ts";
import { toBodyError, toRequestError } from "./failure.ts";
import { filterRequestHeaders, filterResponseHeaders, isContentDecoded } from "./headers.ts";
import { asSent, followRedirect, type Hop, redirectLocation, refuseRedirect } from "./redirect.ts";

/** Where a hop may connect, and what goes with it. */
export interface Route {
  /** The addresses that were checked, in the order to try them; absent: wherever the host is. */
  readonly addresses?: readonly string[];
  /** Fields for this hop and no other; they win over the request's of the same name. */
  readonly headers?: HeaderPairs;
  /** Makes the hop in its own way: again when an attempt fails, or not at all. Default: one attempt. */
  readonly send?: SendHop;
}

/** Makes a hop by none, one or more attempts, each of which gives a response whose body was not read. */
export type SendHop = (
  attempt: () => Promise<Response>,
  hop: {
    readonly method: string;
    /** The hop can be attempted again. */
    readonly replayable: boolean;
    readonly signal: AbortSignal;
  },
) => Promise<Response>;

/** Checks a hop before it is made; throws the {@linkcode ProxyError} that forbids it. */
export type Check = (url: URL, method: string) => Route | Promise<Route>;

/** A response whose head has come and whose body has not been read. */
export interface ForwardResponse extends Omit<HttpResponse, "body"> {
  /**
   * Gives the whole decoded body, or `null` when the response cannot have one. To be called once.
   *
   * @throws {ProxyError} `http_response_body_size`, `http_response_incomplete`,
   * `http_response_content_coding`, or the signal's reason.
   */
  bytes(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * Gives the decoded body as it comes, in pieces of any size, each good until the next is asked for;
   * nothing is read ahead, and leaving early ends the request. `null` as with `bytes`; to be called instead of it. The iteration throws like it.
   */
  chunks(maxBytes: number): AsyncIterable<Uint8Array<ArrayBuffer>> | null;
  /** The length of the body in bytes, where it is known for certain. */
  readonly length: number | undefined;
}

/** A request, and what to do with redirects. */
export interface ForwardRequest extends Hop {
  readonly redirect: RedirectMode;
}

/** What one call needs. */
export interface ForwardOptions {
  readonly check: Check;
  /** Aborts the request and the body; its reason is what the call throws. */
  readonly signal: AbortSignal;
}

/**
 * Makes a request and gives its response, whatever its status.
 *
 * @throws {ProxyError} `sent` is `no` only when no byte of the request can have reached a destination.
 */
export type Forward = (
  request: ForwardRequest,
  options: ForwardOptions,
) => Promise<ForwardResponse>;

type Fetch = (url: URL, init: RequestInit & { client?: Deno.HttpClient }) => Promise<Response>;

/** What {@linkcode createForward} works with. */
export interface ForwardDeps {
  /** Has to allow a `host` header, for the pinned addresses. */
  readonly client: Deno.HttpClient;
  readonly fetch?: Fetch;
}

/** Where and with what a hop is made, when it is not where its URL says. */
interface Target {
  readonly target: URL;
  readonly headers: HeaderPairs;
  readonly signal: AbortSignal;
}

// Fetch, "null body status", less 101, which is refused, and 103, which fetch never gives.
const NULL_BODY_STATUS: ReadonlySet<number> = new Set([
  STATUS_CODE.NoContent,
  STATUS_CODE.ResetContent,
  STATUS_CODE.NotModified,
]);

/** Creates a {@linkcode Forward}. */
export function createForward({ client, fetch = globalThis.fetch }: ForwardDeps): Forward {
  async function send(
    { method, body }: Hop,
    { target, headers, signal }: Target,
  ): Promise<Response> {
    try {
      return await fetch(target, {
        method,
        headers: headers as [string, string][], // fetch only reads them
        body,
        redirect: "manual",
        signal,
        client,
      });
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      throw toRequestError(thrown, method);
    }
  }

  /** Tries the checked addresses in turn, as long as nothing has been sent. */
  async function sendPinned(
    hop: Hop,
    addresses: readonly string[],
    signal: AbortSignal,
  ): Promise<Response> {
    const headers: HeaderPairs = [...hop.headers, ["host", hop.url.host]];
    let failure = new ProxyError("dns_error", "The host has no address");
    for (const address of addresses) {
      try {
        return await send(hop, { target: pin(hop.url, address), headers, signal });
      } catch (error) {
        if (!(error instanceof ProxyError) || error.sent !== "no") throw error;
        failure = error;
        if (hop.body instanceof ReadableStream) break; // fetch has taken it
      }
    }
    throw failure;
  }

  async function attemptHop(
    hop: Hop,
    { addresses, headers }: Route,
    signal: AbortSignal,
  ): Promise<Response> {
    const dressed = headers === undefined ? hop : { ...hop, headers: override(hop, headers) };
    // A certificate has to match the name, so a name that is rebound fails its handshake.
    const response = addresses === undefined || hop.url.protocol === "https:"
      ? await send(dressed, { target: hop.url, headers: dressed.headers, signal })
      : await sendPinned(dressed, addresses, signal);
    if (response.status !== STATUS_CODE.SwitchingProtocols) return response;
    await response.body?.cancel();
    throw new ProxyError(
      "http_protocol_error",
      "The destination switched protocols without being asked to",
    );
  }

  async function makeHop(hop: Hop, { check, signal }: ForwardOptions): Promise<Response> {
    const checked = check(hop.url, hop.method);
    const route = checked instanceof Promise ? await checked : checked;
    signal.throwIfAborted();
    if (route.send === undefined) return await attemptHop(hop, route, signal);
    const { method, body } = hop;
    const replayable = !(body instanceof ReadableStream);
    return await route.send(() => attemptHop(hop, route, signal), { method, replayable, signal });
  }

  return async function forward(request, options): Promise<ForwardResponse> {
    let hop: Hop = { ...request, headers: filterRequestHeaders(request.headers) };
    for (let redirects = 0;; redirects++) {
      try {
        const response = await makeHop(hop, options);
        const location = request.redirect === "manual" ? null : redirectLocation(response);
        if (location === null) {
          return toForwardResponse(response, hop, {
            requestMethod: request.method,
            redirected: redirects > 0,
            signal: options.signal,
          });
        }
        await response.body?.cancel();
        refuseRedirect(request.redirect, redirects);
        hop = followRedirect(hop, response.status, location);
      } catch (error) {
        throw redirects > 0 ? asSent(error, request.method) : error;
      }
    }
  };
}

/** The hop's fields, with these in place of its own of the same name. */
function override(hop: Hop, headers: HeaderPairs): HeaderPairs {
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  return [...hop.headers.filter(([name]) => !names.has(name.toLowerCase())), ...headers];
}

/** The same URL with an address in place of the name. */
function pin(url: URL, address: string): URL {
  const pinned = new URL(url);
  pinned.hostname = address.includes(":") ? `[${address}]` : address;
  return pinned;
}

interface ResponseContext {
  /** Of the first hop: what the client would send again. */
  readonly requestMethod: string;
  readonly redirected: boolean;
  readonly signal: AbortSignal;
}

function toForwardResponse(
  response: Response,
  { method, url, headers: requestHeaders }: Hop,
  { requestMethod, redirected, signal }: ResponseContext,
): ForwardResponse {
  const { status, statusText } = response;
  const fields: HeaderPairs = [...response.headers];
  const length = declaredLength(fields);
  const bodiless = method === "HEAD" || NULL_BODY_STATUS.has(status);
  const decoded = !bodiless && isContentDecoded(requestHeaders, fields);
  const translate = (thrown: unknown): unknown => {
    if (signal.aborted) return signal.reason;
    return thrown instanceof ProxyError ? thrown : toBodyError(thrown, requestMethod, decoded);
  };
  return {
    status,
    statusText,
    url: withoutFragment(url),
    redirected,
    headers: filterResponseHeaders(fields, decoded),
    length: bodiless ? 0 : length,
    async bytes(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | null> {
      if (bodiless) return await drop(response);
      try {
        return await readBody(response, maxBytes, length);
      } catch (thrown) {
        throw translate(thrown);
      }
    },
    chunks(maxBytes: number): AsyncIterable<Uint8Array<ArrayBuffer>> | null {
      if (!bodiless) return translated(readChunks(response, maxBytes), translate);
      drop(response).catch(() => {}); // a body that must not be there may break off
      return null;
    },
  };
}

async function drop(response: Response): Promise<null> {
  await response.body?.cancel();
  return null;
}

async function* translated<Item>(
  items: AsyncIterable<Item>,
  translate: (thrown: unknown) => unknown,
): AsyncGenerator<Item> {
  try {
    yield* items;
  } catch (thrown) {
    throw translate(thrown);
  }
}

function withoutFragment(url: URL): string {
  return url.hash === "" ? url.href.replace(/#$/, "") : url.href.slice(0, -url.hash.length);
}

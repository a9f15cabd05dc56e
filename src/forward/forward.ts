/**
 * Makes an HTTP request with fetch: checks every hop before it is made, connects where the check said,
 * and follows redirects by hand.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import {
  type HeaderPairs,
  type HttpRequest,
  type HttpResponse,
  ProxyError,
  type RedirectMode,
} from "../protocol/mod.ts";
import { readBody } from "./body.ts";
import { toBodyError, toRequestError } from "./failure.ts";
import { filterRequestHeaders, filterResponseHeaders, isContentDecoded } from "./headers.ts";
import { asSent, followRedirect, redirectLocation, refuseRedirect } from "./redirect.ts";

/** Where a hop may connect. */
export interface Route {
  /** The addresses that were checked, in the order to try them; absent: the host is an address. */
  readonly addresses?: readonly string[];
}

/** Checks a hop before it is made; throws the {@linkcode ProxyError} that forbids it. */
export type Check = (url: URL) => Route | Promise<Route>;

/** A response whose head has come and whose body has not been read. */
export interface ForwardResponse extends Omit<HttpResponse, "body"> {
  /**
   * Gives the whole decoded body, or `null` when the response cannot have one. To be called once.
   *
   * @throws {ProxyError} `http_response_body_size`, `http_response_incomplete`,
   * `http_response_content_coding`, or the signal's reason.
   */
  bytes(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | null>;
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
  request: HttpRequest & { readonly redirect: RedirectMode },
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
    { method, body }: HttpRequest,
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
    hop: HttpRequest,
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
      }
    }
    throw failure;
  }

  async function makeHop(hop: HttpRequest, { check, signal }: ForwardOptions): Promise<Response> {
    const { addresses } = await check(hop.url);
    signal.throwIfAborted();
    // A certificate has to match the name, so a name that is rebound fails its handshake.
    const response = addresses === undefined || hop.url.protocol === "https:"
      ? await send(hop, { target: hop.url, headers: hop.headers, signal })
      : await sendPinned(hop, addresses, signal);
    if (response.status !== STATUS_CODE.SwitchingProtocols) return response;
    await response.body?.cancel();
    throw new ProxyError(
      "http_protocol_error",
      "The destination switched protocols without being asked to",
    );
  }

  return async function forward(request, options): Promise<ForwardResponse> {
    let hop: HttpRequest = { ...request, headers: filterRequestHeaders(request.headers) };
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
  { method, url, headers: requestHeaders }: HttpRequest,
  { requestMethod, redirected, signal }: ResponseContext,
): ForwardResponse {
  const { status, statusText } = response;
  const bodiless = method === "HEAD" || NULL_BODY_STATUS.has(status);
  const decoded = !bodiless && isContentDecoded(requestHeaders, response.headers);
  return {
    status,
    statusText,
    url: withoutFragment(url),
    redirected,
    headers: filterResponseHeaders(response.headers, decoded),
    async bytes(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | null> {
      if (bodiless) {
        await response.body?.cancel();
        return null;
      }
      try {
        return await readBody(response, maxBytes);
      } catch (thrown) {
        if (signal.aborted) throw signal.reason;
        throw thrown instanceof ProxyError ? thrown : toBodyError(thrown, requestMethod, decoded);
      }
    },
  };
}

function withoutFragment(url: URL): string {
  return url.hash === "" ? url.href.replace(/#$/, "") : url.href.slice(0, -url.hash.length);
}

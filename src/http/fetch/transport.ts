/**
 * Requests by Deno's `fetch`, which supports TLS, HTTP/2 and proxies.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import { type HeaderPairs, isIdempotent, ProxyError } from "../../protocol/mod.ts";
import { mapErrors } from "../body.ts";
import { noAddress, switchedProtocols } from "../failures.ts";
import { hasConnectionAuthentication, isAddress, withoutBrackets } from "../grammar.ts";
import type { FindProxy, ProxyServer } from "../proxies.ts";
import type { Transport, TransportRequest, TransportResponse } from "../transport.ts";
import { AnsweredHosts } from "./answered.ts";
import { FetchBody } from "./body.ts";
import type { FetchClients } from "./clients.ts";
import { fetchCoding, toUndecoded } from "./coding.ts";
import { toBodyError, toRequestError } from "./failure.ts";

/** The part of Deno's `fetch` that the transport uses. */
export type PlatformFetch = (
  url: URL,
  init: RequestInit & { client?: Deno.HttpClient },
) => Promise<Response>;

/** What requests are made with. */
export interface FetchTransportDeps {
  readonly clients: FetchClients;
  /** `undefined` when there are no proxies. */
  readonly findProxy?: FindProxy | undefined;
  /** Default: the global `fetch`. */
  readonly fetch?: PlatformFetch;
}

/** The parts of a `fetch` that can differ from its request. */
interface FetchTarget {
  readonly url: URL;
  readonly headers: HeaderPairs;
  readonly client: Deno.HttpClient;
  /** Whether the client keeps connections. */
  readonly isShared: boolean;
  readonly isProxied: boolean;
}

/**
 * Creates a {@linkcode Transport} that makes its requests with `fetch`. Requests to `http:` URLs go to the checked
 * addresses; for `https:`, `fetch` looks the host up again, because the certificate has to match its name. A proxy is given
 * the name.
 */
export function createFetchTransport(
  { clients, findProxy, fetch = globalThis.fetch }: FetchTransportDeps,
): Transport {
  const answered = new AnsweredHosts();

  async function send(
    request: TransportRequest,
    target: FetchTarget,
    signal: AbortSignal,
  ): Promise<Response> {
    const { method, body } = request;
    const { url, headers, client, isShared, isProxied } = target;
    try {
      const response = await fetch(url, {
        method,
        headers: headers as [string, string][], // fetch only reads them
        body,
        redirect: "manual",
        signal,
        client,
      });
      if (isShared) answered.add(url.host);
      return response;
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      const isTls = url.protocol === "https:";
      throw toRequestError(thrown, {
        method,
        isTls,
        isProxied,
        isUnchecked: isTls && request.addresses !== undefined &&
          !isAddress(withoutBrackets(url.hostname)),
        mayBeRepeated: isShared && answered.has(url.host),
      });
    }
  }

  function sendByName(
    request: TransportRequest,
    proxy: ProxyServer | undefined,
    signal: AbortSignal,
  ): Promise<Response> {
    const { url, headers, route } = request;
    const isShared = mayShareConnection(request);
    const client = clients.find({ isShared, proxy, route });
    return send(
      request,
      { url, headers, client, isShared, isProxied: proxy !== undefined },
      signal,
    );
  }

  async function sendToAddress(
    request: TransportRequest,
    address: string,
    signal: AbortSignal,
  ): Promise<Response> {
    const { url, route } = request;
    const target = {
      url: pin(url, address),
      headers: [...request.headers, ["host", url.host]] satisfies HeaderPairs,
      isProxied: false,
    };
    if (findProxy === undefined) {
      const isShared = mayShareConnection(request);
      const client = clients.find({ isShared, proxy: undefined, route });
      return await send(request, { ...target, client, isShared }, signal);
    }
    // Of the environment's variables, fetch would apply NO_PROXY to the address instead of the name.
    const port = url.port === "" ? 80 : Number(url.port);
    using client = clients.openTo({ hostname: address, port });
    return await send(request, { ...target, client, isShared: false }, signal);
  }

  /** Tries the checked addresses in turn, as long as nothing has been sent. */
  async function sendPinned(
    request: TransportRequest,
    addresses: readonly string[],
    signal: AbortSignal,
  ): Promise<Response> {
    let failure: ProxyError | undefined;
    for (const address of addresses) {
      try {
        return await sendToAddress(request, address, signal);
      } catch (error) {
        if (!(error instanceof ProxyError) || error.sent !== "no") throw error;
        failure = error;
        if (request.body instanceof ReadableStream) break; // fetch has locked it
      }
    }
    throw failure ?? noAddress();
  }

  return async function request(given: TransportRequest, signal): Promise<TransportResponse> {
    const request = given.decode === false
      ? { ...given, headers: toUndecoded(given.headers) }
      : given;
    const { addresses, url } = request;
    const proxy = findProxy?.(url);
    const response = addresses === undefined || url.protocol === "https:" || proxy !== undefined
      ? await sendByName(request, proxy, signal)
      : await sendPinned(request, addresses, signal);
    if (response.status !== STATUS_CODE.SwitchingProtocols) {
      return toTransportResponse(response, request, signal);
    }
    await response.body?.cancel();
    throw switchedProtocols();
  };
}

/**
 * Reports whether a request may go over a connection that was used before. `fetch` itself repeats a request if such a
 * connection ends before the response. So a request whose repetition has an effect or is counted, or whose body cannot be
 * sent again, goes over one of its own; and so does a request that authenticates its connection, which no other may use.
 */
function mayShareConnection({ method, headers, body, mayRepeat }: TransportRequest): boolean {
  return isIdempotent(method) && mayRepeat === undefined && !(body instanceof ReadableStream) &&
    !hasConnectionAuthentication(headers);
}

function toTransportResponse(
  response: Response,
  request: TransportRequest,
  signal: AbortSignal,
): TransportResponse {
  const { headers, decoded, mayBeDecoded } = fetchCoding(request.headers, [...response.headers]);
  const toError = (thrown: unknown): unknown => {
    if (signal.aborted) return signal.reason;
    return thrown instanceof ProxyError
      ? thrown
      : toBodyError(thrown, request.method, mayBeDecoded);
  };
  return {
    status: response.status,
    statusText: response.statusText,
    headers,
    decoded,
    body: mapErrors(new FetchBody(response, headers), toError),
  };
}

/** Returns the URL with an address in place of the host's name. */
function pin(url: URL, address: string): URL {
  const pinned = new URL(url);
  pinned.hostname = address.includes(":") ? `[${address}]` : address;
  return pinned;
}

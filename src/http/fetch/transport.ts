/**
 * Requests by Deno's `fetch`, which supports TLS, HTTP/2 and the proxies of the environment.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import { type HeaderPairs, ProxyError } from "../../protocol/mod.ts";
import { mapErrors } from "../body.ts";
import { noAddress, switchedProtocols } from "../failures.ts";
import type { HopRequest, Transport, TransportRequest, TransportResponse } from "../transport.ts";
import { FetchBody } from "./body.ts";
import { fetchCoding, toUndecoded } from "./coding.ts";
import { toBodyError, toRequestError } from "./failure.ts";

/** The part of Deno's `fetch` that the transport uses. */
export type PlatformFetch = (
  url: URL,
  init: RequestInit & { client?: Deno.HttpClient },
) => Promise<Response>;

/** The parts of a `fetch` that can differ from its request. */
interface FetchTarget {
  readonly url: URL;
  readonly headers: HeaderPairs;
  readonly signal: AbortSignal;
}

/**
 * Creates a {@linkcode Transport} that makes its requests with `fetch`.
 *
 * @param client Has to allow a `host` field: it names the host when the request goes to one of the checked addresses.
 */
export function createFetchTransport(
  client: Deno.HttpClient,
  fetch: PlatformFetch = globalThis.fetch,
): Transport {
  async function send({ method, body }: HopRequest, target: FetchTarget): Promise<Response> {
    const { url, headers, signal } = target;
    try {
      return await fetch(url, {
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
    request: HopRequest,
    addresses: readonly string[],
    signal: AbortSignal,
  ): Promise<Response> {
    const headers: HeaderPairs = [...request.headers, ["host", request.url.host]];
    let failure: ProxyError | undefined;
    for (const address of addresses) {
      try {
        return await send(request, { url: pin(request.url, address), headers, signal });
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
    const { addresses, url, headers } = request;
    // The certificate has to match the name, so a request to a name that was rebound fails in the handshake.
    const response = addresses === undefined || url.protocol === "https:"
      ? await send(request, { url, headers, signal })
      : await sendPinned(request, addresses, signal);
    if (response.status !== STATUS_CODE.SwitchingProtocols) {
      return toTransportResponse(response, request, signal);
    }
    await response.body?.cancel();
    throw switchedProtocols();
  };
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

/**
 * Requests by Deno's `fetch`, which knows TLS, HTTP/2 and the proxies of the environment.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import { type HeaderPairs, ProxyError } from "../../protocol/mod.ts";
import { declaredLength, readBody, readChunks } from "./body.ts";
import { toBodyError, toRequestError } from "./failure.ts";
import { contentCoding } from "../../forward/headers.ts";
import type { Hop, Transport, TransportRequest, TransportResponse } from "../transport.ts";

type Fetch = (url: URL, init: RequestInit & { client?: Deno.HttpClient }) => Promise<Response>;

/** What {@linkcode createFetchTransport} works with. */
export interface FetchTransportDeps {
  /** Has to allow a `host` header, for the pinned addresses. */
  readonly client: Deno.HttpClient;
  readonly fetch?: Fetch;
}

/** Where and with what a request is made, when that is not what its URL says. */
interface Target {
  readonly target: URL;
  readonly headers: HeaderPairs;
  readonly signal: AbortSignal;
}

/** Creates a {@linkcode Transport} on `fetch`. */
export function createFetchTransport(
  { client, fetch = globalThis.fetch }: FetchTransportDeps,
): Transport {
  async function send({ method, body }: Hop, target: Target): Promise<Response> {
    const { headers, signal } = target;
    try {
      return await fetch(target.target, {
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

  return async function request(request: TransportRequest, signal): Promise<TransportResponse> {
    const { addresses, url, headers } = request;
    // A certificate has to match the name, so a name that is rebound fails its handshake.
    const response = addresses === undefined || url.protocol === "https:"
      ? await send(request, { target: url, headers, signal })
      : await sendPinned(request, addresses, signal);
    if (response.status !== STATUS_CODE.SwitchingProtocols) {
      return toTransportResponse(response, request, signal);
    }
    await response.body?.cancel();
    throw new ProxyError(
      "http_protocol_error",
      "The destination switched protocols without being asked to",
    );
  };
}

function toTransportResponse(
  response: Response,
  request: TransportRequest,
  signal: AbortSignal,
): TransportResponse {
  const headers: HeaderPairs = [...response.headers];
  const length = declaredLength(headers);
  const decoded = contentCoding(request.headers, headers) !== undefined;
  const translate = (thrown: unknown): unknown => {
    if (signal.aborted) return signal.reason;
    return thrown instanceof ProxyError ? thrown : toBodyError(thrown, request.method, decoded);
  };
  return {
    status: response.status,
    statusText: response.statusText,
    headers,
    decoded,
    length,
    isHere: false,
    async bytes(maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
      try {
        return await readBody(response, maxBytes, length);
      } catch (thrown) {
        throw translate(thrown);
      }
    },
    chunks: (maxBytes) => translated(readChunks(response, maxBytes), translate),
    discard(): void {
      // What is being read cannot be cancelled here, and is ended by its reader.
      if (response.body?.locked === false) response.body.cancel().catch(() => {});
    },
  };
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

/** The same URL with an address in place of the name. */
function pin(url: URL, address: string): URL {
  const pinned = new URL(url);
  pinned.hostname = address.includes(":") ? `[${address}]` : address;
  return pinned;
}

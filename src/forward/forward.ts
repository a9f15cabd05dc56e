/**
 * Makes an HTTP request: checks every hop before it is made, and follows redirects by hand.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import {
  type HeaderPairs,
  isIdempotent,
  ProxyError,
  type RedirectMode,
  type ResponseHead,
} from "../protocol/mod.ts";
import { gunzipResponse } from "./decode.ts";
import { contentCoding, filterRequestHeaders, filterResponseHeaders } from "./headers.ts";
import { asSent, followRedirect, redirectLocation, refuseRedirect } from "./redirect.ts";
import type { Hop, Transport, TransportResponse } from "./transport.ts";

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
  attempt: () => Promise<Answer>,
  hop: {
    readonly method: string;
    /** The hop can be attempted again. */
    readonly replayable: boolean;
    readonly signal: AbortSignal;
  },
) => Promise<Answer>;

/** A response as {@linkcode SendHop} sees it. */
export interface Answer {
  readonly status: number;
  readonly headers: HeaderPairs;
  readonly body: TransportResponse;
}

/** Checks a hop before it is made; throws the {@linkcode ProxyError} that forbids it. */
export type Check = (url: URL, method: string) => Route | Promise<Route>;

/** A response whose head has come and whose body has not been read. */
export interface ForwardResponse
  extends ResponseHead, Pick<TransportResponse, "length" | "isHere" | "discard"> {
  /** As of {@linkcode TransportResponse}; `null` when the response cannot have a body. */
  bytes(maxBytes: number): Bytes | null | Promise<Bytes | null>;
  /** As of {@linkcode TransportResponse}; `null` when the response cannot have a body. */
  chunks(maxBytes: number): AsyncIterable<Bytes> | null;
}

type Bytes = Uint8Array<ArrayBuffer>;

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

/** What makes the requests to URLs of each scheme. */
export interface ForwardDeps {
  readonly http: Transport;
  readonly https: Transport;
}

// Fetch, "null body status", less 101, which is refused, and 103, which is none of a last response.
const NULL_BODY_STATUS: ReadonlySet<number> = new Set([
  STATUS_CODE.NoContent,
  STATUS_CODE.ResetContent,
  STATUS_CODE.NotModified,
]);

/** Creates a {@linkcode Forward}. */
export function createForward({ http, https }: ForwardDeps): Forward {
  function attemptHop(
    hop: Hop,
    { addresses, headers }: Route,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    const { method, url, body } = hop;
    const request = {
      method,
      url,
      headers: headers === undefined ? hop.headers : override(hop, headers),
      body,
      addresses,
    };
    return url.protocol === "http:" ? http(request, signal) : https(request, signal);
  }

  async function sendHop(
    hop: Hop,
    { send, ...route }: Route & { readonly send: SendHop },
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    const { method, body } = hop;
    const replayable = !(body instanceof ReadableStream);
    const attempt = async (): Promise<Answer> => toAnswer(await attemptHop(hop, route, signal));
    return (await send(attempt, { method, replayable, signal })).body;
  }

  function makeHop(
    hop: Hop,
    route: Route,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    signal.throwIfAborted();
    const { send } = route;
    return send === undefined
      ? attemptHop(hop, route, signal)
      : sendHop(hop, { ...route, send }, signal);
  }

  return async function forward(request, { check, signal }): Promise<ForwardResponse> {
    let hop: Hop = request;
    const headers = filterRequestHeaders(request.headers);
    if (headers !== request.headers) hop = { ...request, headers };
    for (let redirects = 0;; redirects++) {
      try {
        const checked = check(hop.url, hop.method);
        const route = checked instanceof Promise ? await checked : checked;
        const response = await makeHop(hop, route, signal);
        const location = request.redirect === "manual" ? undefined : redirectLocation(response);
        if (location === undefined) {
          const given = toForwardResponse(response, hop, redirects > 0);
          return hop.method === request.method ? given : judgedBy(request.method, given);
        }
        response.discard();
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

function toAnswer(response: TransportResponse): Answer {
  return { status: response.status, headers: response.headers, body: response };
}

function toForwardResponse(
  response: TransportResponse,
  hop: Hop,
  redirected: boolean,
): ForwardResponse {
  const { status, statusText } = response;
  const bodiless = hop.method === "HEAD" || NULL_BODY_STATUS.has(status);
  const isGzip = !bodiless && !response.decoded &&
    contentCoding(hop.headers, response.headers) === "gzip";
  const body = isGzip ? gunzipResponse(response) : response;
  const { discard } = response;
  const none = (): null => {
    discard();
    return null;
  };
  return {
    status,
    statusText,
    url: withoutFragment(hop.url),
    redirected,
    headers: filterResponseHeaders(response.headers, !bodiless && body.decoded),
    length: bodiless ? 0 : body.length,
    isHere: bodiless || body.isHere,
    bytes: bodiless ? none : body.bytes,
    chunks: bodiless ? none : body.chunks,
    discard,
  };
}

/** A request that was rewritten on its way may be sent again when its own method allows it. */
function judgedBy(method: string, response: ForwardResponse): ForwardResponse {
  const judge = (error: unknown): unknown =>
    error instanceof ProxyError && error.retryable && !isIdempotent(method)
      ? new ProxyError(error.code, error.message, { cause: error, retryable: false })
      : error;

  async function* judged(chunks: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
    try {
      yield* chunks;
    } catch (thrown) {
      throw judge(thrown);
    }
  }

  return {
    ...response,
    isHere: false,
    async bytes(maxBytes): Promise<Bytes | null> {
      try {
        return await response.bytes(maxBytes);
      } catch (thrown) {
        throw judge(thrown);
      }
    },
    chunks(maxBytes): AsyncIterable<Bytes> | null {
      const chunks = response.chunks(maxBytes);
      return chunks && judged(chunks);
    },
  };
}

function withoutFragment(url: URL): string {
  const { href } = url;
  const hash = href.indexOf("#");
  return hash < 0 ? href : href.slice(0, hash);
}

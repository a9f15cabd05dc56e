/**
 * Makes one hop of a request, layer by layer: the check, the resilience of a named upstream, the transport.
 *
 * @module
 */
import type {
  HopRequest,
  Transport,
  TransportObserver,
  TransportRequest,
  TransportResponse,
  UpstreamRoute,
} from "../http/transport.ts";
import type { HeaderPairs } from "../protocol/mod.ts";
import { filterUpstreamHeaders, replaceFields } from "./headers.ts";

/** The outcome of a check that allows a hop. {@linkcode MakeHop} carries it out. */
export interface Route {
  /** The addresses that were checked, in the order to try them; absent when the transport looks the host up. */
  readonly addresses?: readonly string[];
  /** Fields for this hop alone; they replace those of the request that a server may take for them. */
  readonly headers?: HeaderPairs;
  /** How to connect to the named upstream; absent when the hop does not go to it. Its resilience applies then only. */
  readonly upstream?: UpstreamRoute;
}

/**
 * Decides whether a hop may be made. Called before every hop, with the method in upper case.
 *
 * @throws {ProxyError} The reason why not.
 */
export type Check = (url: URL, method: string) => Route | Promise<Route>;

/** The retries and the circuit breaker of a named upstream. */
export interface HopResilience {
  /**
   * Makes the hop with any number of attempts, including none, and returns the response of the last one. An attempt
   * returns a response whose body has not been read. It asks `mayRepeat` before it sends the request once more itself.
   */
  readonly send: (
    attempt: (mayRepeat?: () => boolean) => Promise<TransportResponse>,
    hop: AttemptedHop,
  ) => Promise<TransportResponse>;
  /** Whether a time-out counts as a failure of the upstream. */
  readonly countsTimeouts: boolean;
}

/** The properties of a hop that decide whether and how it is attempted again. */
export interface AttemptedHop {
  readonly method: string;
  /** Whether the body can be sent again. */
  readonly replayable: boolean;
  /** Whether a time-out counts as a failure of the upstream. */
  readonly countsTimeouts: boolean;
  /** The signal of the request. */
  readonly signal: AbortSignal;
}

/** How the hops of one request are made. */
export interface HopOptions {
  readonly check: Check;
  /** Absent when each hop is attempted once. */
  readonly resilience?: HopResilience | undefined;
  /** The identity that the request is made for. */
  readonly identity?: string | undefined;
  /** Names on whose behalf the request is made: one of the identity's connections. */
  readonly owner?: string | undefined;
  /** Told how far each hop has come. */
  readonly observer?: TransportObserver | undefined;
  /** Aborts the request and the response's body; its reason is then thrown. */
  readonly signal: AbortSignal;
}

/**
 * Makes one hop. Where nothing but the transport waits, it returns the transport's promise.
 *
 * @throws What the check throws, the signal's reason, or what the transport throws. May also throw synchronously.
 */
export type MakeHop = (hop: HopRequest, options: HopOptions) => Promise<TransportResponse>;

/** Creates a {@linkcode MakeHop}. */
export function createMakeHop(transport: Transport): MakeHop {
  function sendHop(
    hop: HopRequest,
    route: Route,
    { resilience, signal, identity, owner, observer }: HopOptions,
  ): Promise<TransportResponse> {
    signal.throwIfAborted();
    const { method, url, body, decode } = hop;
    const { addresses, upstream } = route;
    const headers = toHopHeaders(hop.headers, route);
    const request: TransportRequest = {
      method,
      url,
      headers,
      body,
      decode,
      addresses,
      route: upstream,
      identity,
      owner,
      observer,
    };
    // The place of a cache and of merging identical requests: after the check, around the resilience.
    if (resilience === undefined || upstream === undefined) return transport(request, signal);
    const { send, countsTimeouts } = resilience;
    const replayable = !(body instanceof ReadableStream);
    return send(
      (mayRepeat) =>
        transport(mayRepeat === undefined ? request : { ...request, mayRepeat }, signal),
      { method, replayable, countsTimeouts, signal },
    );
  }

  return function makeHop(hop, options): Promise<TransportResponse> {
    const route = options.check(hop.url, hop.method);
    return route instanceof Promise
      ? route.then((found) => sendHop(hop, found, options))
      : sendHop(hop, route, options);
  };
}

function toHopHeaders(headers: HeaderPairs, { headers: others, upstream }: Route): HeaderPairs {
  const sent = upstream !== undefined ? filterUpstreamHeaders(headers) : headers;
  return others === undefined ? sent : replaceFields(sent, others);
}

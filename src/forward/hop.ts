/**
 * One hop of a request, layer by layer: its check, the upstream's resilience, the transport.
 *
 * @module
 */
import type { HopRequest, Transport, TransportResponse } from "../http/transport.ts";
import type { HeaderPairs } from "../protocol/mod.ts";

/** Where a hop may connect, and what is sent along: the outcome of its check, which does nothing by itself. */
export interface Route {
  /** The addresses that were checked, in the order to try them; absent when the transport looks the host up. */
  readonly addresses?: readonly string[];
  /** Fields for this hop and no other; they replace the request's of the same name. */
  readonly headers?: HeaderPairs;
  /** The hop goes to the named upstream, whose resilience applies. */
  readonly isAtUpstream?: boolean;
}

/** Checks a hop before it is made; throws the {@linkcode ProxyError} that forbids it. */
export type Check = (url: URL, method: string) => Route | Promise<Route>;

/** What a named upstream is protected by: retries and a circuit breaker. */
export interface HopResilience {
  /** Makes none, one or several attempts, each of which returns a response whose body was not read. */
  readonly send: (
    attempt: () => Promise<TransportResponse>,
    hop: AttemptedHop,
  ) => Promise<TransportResponse>;
  /** Whether a time-out counts against the upstream. */
  readonly countsTimeouts: boolean;
}

/** What resilience has to know of a hop. */
export interface AttemptedHop {
  readonly method: string;
  /** The hop can be attempted again. */
  readonly replayable: boolean;
  readonly countsTimeouts: boolean;
  readonly signal: AbortSignal;
}

/** What is asked of one hop. */
export interface HopOptions {
  readonly check: Check;
  /** Absent: each hop is attempted once. */
  readonly resilience?: HopResilience | undefined;
  /** Aborts the request and the body; its reason is what the call throws. */
  readonly signal: AbortSignal;
}

/** Makes one hop. No promise is added to the transport's where nothing else waits. */
export type MakeHop = (hop: HopRequest, options: HopOptions) => Promise<TransportResponse>;

/** Creates a {@linkcode MakeHop}. */
export function createMakeHop(transport: Transport): MakeHop {
  function sendHop(
    hop: HopRequest,
    { addresses, headers, isAtUpstream }: Route,
    { resilience, signal }: HopOptions,
  ): Promise<TransportResponse> {
    signal.throwIfAborted();
    const { method, url, body } = hop;
    const request = {
      method,
      url,
      headers: headers === undefined ? hop.headers : override(hop.headers, headers),
      body,
      addresses,
    };
    // A cache and collapsing belong here: after the check, around the resilience.
    if (resilience === undefined || isAtUpstream !== true) return transport(request, signal);
    const { send, countsTimeouts } = resilience;
    const replayable = !(body instanceof ReadableStream);
    return send(() => transport(request, signal), { method, replayable, countsTimeouts, signal });
  }

  return function makeHop(hop, options): Promise<TransportResponse> {
    const route = options.check(hop.url, hop.method);
    return route instanceof Promise
      ? route.then((found) => sendHop(hop, found, options))
      : sendHop(hop, route, options);
  };
}

/** Returns the fields, with others in place of those of the same name. */
function override(fields: HeaderPairs, others: HeaderPairs): HeaderPairs {
  const names = new Set(others.map(([name]) => name.toLowerCase()));
  return [...fields.filter(([name]) => !names.has(name.toLowerCase())), ...others];
}

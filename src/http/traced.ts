/**
 * Creates a span for each request of a transport.
 *
 * @module
 */
import { ProxyError } from "../protocol/mod.ts";
import type { HopRequest, Transport } from "./transport.ts";

/** The span of one request to one server. */
export interface RequestSpan {
  /** The header fields that tell the server about the span (W3C Trace Context). */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Ends the span with the status of the response, or with what ended the request; to be called once. */
  end(outcome: { readonly status: number } | { readonly errorType: string }): void;
}

/** Starts the spans of requests. */
export interface RequestTracing {
  /** Starts a span below that of the exchange which is running; returns `undefined` when none is. */
  startHop(request: Pick<HopRequest, "method" | "url">): RequestSpan | undefined;
}

/**
 * Returns a transport that starts a span for each request and sends it to the server. Returns the transport itself when
 * nothing is traced.
 */
export function traceTransport(
  transport: Transport,
  tracing: RequestTracing | undefined,
): Transport {
  if (tracing === undefined) return transport;
  return async (request, signal) => {
    const span = tracing.startHop(request);
    if (span === undefined) return await transport(request, signal);
    try {
      const headers = [...request.headers, ...span.fields];
      const response = await transport({ ...request, headers }, signal);
      span.end({ status: response.status });
      return response;
    } catch (thrown) {
      span.end({ errorType: thrown instanceof ProxyError ? thrown.code : "_OTHER" });
      throw thrown;
    }
  };
}

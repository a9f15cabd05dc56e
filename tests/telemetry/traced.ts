/**
 * A program that traces exchanges, to be run in a process of its own. Its arguments are the URL to fetch and the
 * exchanges as JSON; it prints the ids of their spans as JSON.
 *
 * @module
 */
import type { ExchangedEvent } from "../../src/telemetry/telemetry.ts";
import { createTracing, type TracedRequest } from "../../src/telemetry/tracing.ts";

/** The output of the program. */
export interface Traced {
  /** Absent when tracing is off. */
  readonly exposesUrls?: boolean;
  readonly spans: readonly { readonly traceId: string; readonly spanId: string }[];
}

/** An exchange that the program traces. */
export interface TracedExchange {
  readonly request: TracedRequest;
  readonly end: ExchangedEvent;
}

async function traceAll(url: string, exchanges: readonly TracedExchange[]): Promise<Traced> {
  const tracing = createTracing("0.1.0");
  if (tracing === undefined) return { spans: [] };
  const spans = [];
  for (const { request, end } of exchanges) {
    const span = tracing.start(request);
    const given = span.run(() => fetch(`${url}/${request.exchange}?secret`));
    await (await given).body?.cancel();
    span.end(end);
    spans.push({ traceId: span.traceId, spanId: span.spanId });
  }
  return { exposesUrls: tracing.exposesUrls, spans };
}

if (import.meta.main) {
  const [url = "", exchanges = "[]"] = Deno.args;
  const traced = await traceAll(url, JSON.parse(exchanges));
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(traced)));
  Deno.exit(0); // as the service exits
}

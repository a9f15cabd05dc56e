/**
 * Events for tests of their receivers.
 *
 * @module
 */
import type {
  ExchangedEvent,
  Telemetry,
  TelemetryEvent,
  TelemetryEventType,
} from "../../src/telemetry/telemetry.ts";

/** A successful exchange. */
export const EXCHANGED: ExchangedEvent = {
  type: "exchanged",
  connection: "c1",
  requestId: "c1-1",
  exchange: 1,
  id: 1,
  method: "GET",
  host: "api.test",
  decision: "allow",
  reason: "public",
  outcome: "response",
  status: 200,
  requestBytes: 10,
  responseBytes: 100,
  waitMs: 20,
  totalMs: 30,
};

/** One event of every type. */
export const EVENTS: {
  readonly [Type in TelemetryEventType]: Extract<TelemetryEvent, { readonly type: Type }>;
} = {
  started: { type: "started", url: "http://127.0.0.1:80/" },
  draining: { type: "draining", connections: 1, graceMs: 10 },
  stopped: { type: "stopped" },
  reloaded: { type: "reloaded", upstreams: ["billing"] },
  connected: { type: "connected", connection: "c1", dialect: "plain", client: "127.0.0.1" },
  disconnected: {
    type: "disconnected",
    connection: "c1",
    code: 1000,
    closedBy: "client",
    exchanges: 1,
    durationMs: 5,
  },
  refused: {
    type: "refused",
    client: "127.0.0.1",
    status: 429,
    code: "rate_limited",
    reason: "Too many",
  },
  authenticated: { type: "authenticated", connection: "c1", identity: "alice", outcome: "renewed" },
  malformed: { type: "malformed", connection: "c1", code: "bad_frame" },
  paused: { type: "paused", connection: "c1" },
  decided: {
    type: "decided",
    connection: "c1",
    exchange: 1,
    host: "api.test",
    allow: false,
    reason: "private",
  },
  exchanged: EXCHANGED,
  failed: { type: "failed", connection: "c1", error: new Error("a bug") },
};

/** The {@linkcode EVENTS} as a list. */
export const ALL: readonly TelemetryEvent[] = Object.values(EVENTS);

/** Creates a receiver that passes every event to `receive`. */
export function createReceiver(receive: (event: TelemetryEvent) => void): Telemetry {
  return { wantsAllowedHops: true, emit: receive };
}

/**
 * Emits an event that the types need not allow, such as a value of a wrong type that has got past them.
 */
export function emitUnchecked(
  telemetry: Telemetry,
  event: Readonly<Record<string, unknown>>,
): void {
  Reflect.apply(telemetry.emit, telemetry, [event]);
}

/**
 * Events for tests of what listens to them.
 *
 * @module
 */
import type { ExchangedEvent, Telemetry } from "../../src/telemetry/telemetry.ts";

/** An exchange that went well. */
export const EXCHANGED: ExchangedEvent = {
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

/** The name of an event. */
export type EventName = Exclude<keyof Telemetry, "hearsAllowed">;

/** One of every event. */
export const EVENTS: {
  readonly [Name in EventName]: Parameters<Telemetry[Name]>[0];
} = {
  started: { url: "http://127.0.0.1:80/" },
  draining: { connections: 1, graceMs: 10 },
  stopped: undefined,
  reloaded: { upstreams: ["billing"] },
  connected: { connection: "c1", dialect: "plain", client: "127.0.0.1" },
  disconnected: {
    connection: "c1",
    code: 1000,
    closedBy: "client",
    exchanges: 1,
    durationMs: 5,
  },
  refused: { client: "127.0.0.1", status: 429, code: "rate_limited", reason: "Too many" },
  authenticated: { connection: "c1", identity: "alice", outcome: "renewed" },
  malformed: { connection: "c1", code: "bad_frame" },
  paused: { connection: "c1" },
  decided: {
    connection: "c1",
    exchange: 1,
    host: "api.test",
    allow: false,
    reason: "private",
  },
  exchanged: EXCHANGED,
  failed: { connection: "c1", error: new Error("a bug") },
};

/** The names of all events. */
export const NAMES = Object.keys(EVENTS) as readonly EventName[];

/** Tells a listener of one of the {@linkcode EVENTS}. */
export function tell(telemetry: Telemetry, name: EventName): void {
  Reflect.apply(telemetry[name], telemetry, [EVENTS[name]]);
}

/** A listener that hands on the name and the event of all it is told. */
export function createListener(
  told: (name: EventName, event: unknown) => void,
): Telemetry {
  const listener = Object.fromEntries(
    NAMES.map((name) => [name, (event: unknown) => told(name, event)]),
  );
  // It has every name of EVENTS, which has every name.
  return { ...listener, hearsAllowed: true } as unknown as Telemetry;
}

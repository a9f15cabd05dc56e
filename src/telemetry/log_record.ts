/**
 * The entries of the log, before they become lines of text.
 *
 * @module
 */
import type { TelemetryEventType } from "./telemetry.ts";

/** How important a log record is, from the least important. */
export const SEVERITIES = ["debug", "info", "warn", "error"] as const;

/** One of the {@linkcode SEVERITIES}. */
export type Severity = typeof SEVERITIES[number];

/** An entry of the log. */
export interface LogRecord {
  /** When the event was logged, in milliseconds since the epoch. */
  readonly epochMs: number;
  readonly severity: Severity;
  /** `dropped` is no event of the service: lines of this log were dropped. */
  readonly event: TelemetryEventType | "dropped";
  /** The members of the event except `type`. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Log records as lines of JSON.
 *
 * @module
 */
import type { LogRecord } from "@logtape/logtape";
import type { LineBuffer } from "./line_buffer.ts";

/** Writes a record as a line of JSON, with its end: time, level and event, then the fields. */
export function writeJson(record: LogRecord, lines: LineBuffer): void {
  const { timestamp, rawMessage, properties } = record;
  const time = new Date(timestamp).toISOString();
  const fields = { time, level: toLevel(record), event: rawMessage, ...properties };
  lines.text(`${JSON.stringify(fields)}\n`);
}

/** The level as the settings call it. */
export function toLevel({ level }: LogRecord): string {
  return level === "warning" ? "warn" : level;
}

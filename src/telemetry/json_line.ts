/**
 * Log records as lines of JSON.
 *
 * @module
 */
import type { LineBuffer } from "./line_buffer.ts";
import type { LogRecord } from "./log_record.ts";

/** Appends a record as a line of JSON, with a line feed: time, level and event, then the fields. */
export function writeJson(
  { epochMs, severity, event, fields }: LogRecord,
  lines: LineBuffer,
): void {
  const time = new Date(epochMs).toISOString();
  lines.text(`${JSON.stringify({ time, level: severity, event, ...fields })}\n`);
}

/**
 * Log records as lines that are easy to read in a terminal.
 *
 * @module
 */
import type { LineBuffer } from "./line_buffer.ts";
import type { LogRecord } from "./log_record.ts";

/** Appends a record as a line, with a line feed: the time of day, the level and the event, then `name=value` pairs. */
export function writePretty(
  { epochMs, severity, event, fields }: LogRecord,
  lines: LineBuffer,
): void {
  const pairs = Object.entries(fields).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${toPrettyValue(value)}`);
  const time = new Date(epochMs).toISOString().slice(11, 23);
  lines.text(`${[time, severity.toUpperCase().padEnd(5), event, ...pairs].join(" ")}\n`);
}

function toPrettyValue(value: unknown): string {
  if (typeof value === "string" && /^[!#-<>-~]+$/.test(value)) return value;
  // JSON does not escape these control characters, and terminals obey some of them.
  return JSON.stringify(value ?? null).replace(
    /[\x7f-\x9f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

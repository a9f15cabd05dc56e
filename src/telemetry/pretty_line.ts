/**
 * Log records as lines for people.
 *
 * @module
 */
import type { LogRecord } from "@logtape/logtape";
import { toLevel } from "./json_line.ts";
import type { LineBuffer } from "./line_buffer.ts";

/** Writes a record as a line, with its end: the time of day, the level and the event, then pairs. */
export function writePretty(record: LogRecord, lines: LineBuffer): void {
  const pairs = Object.entries(record.properties).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${toPrettyValue(value)}`);
  const time = new Date(record.timestamp).toISOString().slice(11, 23);
  const level = toLevel(record).toUpperCase().padEnd(5);
  lines.text(`${[time, level, record.rawMessage, ...pairs].join(" ")}\n`);
}

function toPrettyValue(value: unknown): string {
  if (typeof value === "string" && /^[!#-<>-~]+$/.test(value)) return value;
  // JSON leaves some characters as they are that drive a terminal.
  return JSON.stringify(value ?? null).replace(
    /[\x7f-\x9f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

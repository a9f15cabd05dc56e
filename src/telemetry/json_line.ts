/**
 * Log records as lines of JSON.
 *
 * @module
 */
import type { LogRecord } from "@logtape/logtape";
import { createWriteExchanged } from "./exchanged_line.ts";
import type { WriteLine } from "./output.ts";

const ZERO = 0x30;
const END = new TextEncoder().encode("}\n");

/** Creates what writes lines of JSON: time, level and event, then the fields. */
export function createWriteJson(): WriteLine<LogRecord> {
  const toStart = createToStart();
  const writeExchanged = createWriteExchanged();
  return (record, lines) => {
    if (record.rawMessage === "exchanged") {
      lines.bytes(toStart(record));
      writeExchanged(record.properties, lines);
      return lines.bytes(END);
    }
    const fields = JSON.stringify(record.properties).slice(1);
    lines.bytes(toStart(record));
    lines.text(fields === "}" ? "}\n" : `,${fields}\n`);
  };
}

/** The level as the settings call it. */
export function toLevel({ level }: LogRecord): string {
  return level === "warning" ? "warn" : level;
}

/** Lines of one event and one second start alike, but for the milliseconds. */
function createToStart(): (record: LogRecord) => Uint8Array {
  const encoder = new TextEncoder();
  let event = "";
  let second = NaN;
  let start = new Uint8Array();
  let millisecondsAt = 0;
  return (record) => {
    const { timestamp, rawMessage } = record;
    const milliseconds = timestamp - second * 1000;
    if (rawMessage === event && milliseconds >= 0 && milliseconds < 1000) {
      start[millisecondsAt] = ZERO + ((milliseconds / 100) | 0);
      start[millisecondsAt + 1] = ZERO + ((milliseconds / 10) | 0) % 10;
      start[millisecondsAt + 2] = ZERO + milliseconds % 10;
      return start;
    }
    const time = new Date(timestamp).toISOString();
    event = String(rawMessage);
    second = Math.floor(timestamp / 1000);
    millisecondsAt = `{"time":"${time}`.length - "678Z".length;
    const level = toLevel(record);
    start = encoder.encode(
      `{"time":"${time}","level":"${level}","event":${JSON.stringify(event)}`,
    );
    return start;
  };
}

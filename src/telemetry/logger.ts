/**
 * Writes events as log lines: one line for each, JSON or for people. Records, levels and sinks are
 * LogTape's; its configuration is global and not used, since a process may have more than one log.
 *
 * @module
 */
import {
  compareLogLevel,
  type LogLevel as RecordLevel,
  type LogRecord,
  type Sink,
  type TextFormatter,
} from "@logtape/logtape";
import { createOutput } from "./output.ts";
import { type Redact, redactTokens, withRedaction } from "./redaction.ts";
import type { Telemetry } from "./telemetry.ts";

/** From the most to the least that is written. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "off"] as const;

/** The least important level that is written. */
export type LogLevel = typeof LOG_LEVELS[number];

/** How lines look. */
export type LogFormat = "json" | "pretty";

/** How to log. */
export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes a line without its end. Default: standard output, written once in a turn of the event loop. */
  readonly write?: (line: string) => void;
  /** Gives a text without the secrets of this service; what looks like a token is taken out without it. */
  readonly redact?: Redact;
  /** The time. */
  readonly now?: () => Date;
}

/** A log. */
export interface Logger extends Telemetry {
  /** Writes what has been logged, now. Errors and the end of the service need no call. */
  flush(): void;
}

const CATEGORY: readonly string[] = ["wsfetch"];

const RECORD_LEVELS = {
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
} as const satisfies Record<Exclude<LogLevel, "off">, RecordLevel>;

/** Creates a {@linkcode Logger}. */
export function createLogger(
  { level: least, format, write, redact, now = () => new Date() }: LoggerOptions,
): Logger {
  const output = write === undefined ? createOutput() : { write, flush: () => {} };
  const toLine = format === "json" ? createToJsonLine() : toPrettyLine;
  const hide: Redact = redact === undefined ? redactTokens : (text) => redactTokens(redact(text));
  const sink: Sink = withRedaction((record) => output.write(toLine(record)), hide);

  function isWritten(level: RecordLevel): boolean {
    return least !== "off" && compareLogLevel(level, RECORD_LEVELS[least]) >= 0;
  }

  function at(level: RecordLevel): (event: string, fields: object) => void {
    if (!isWritten(level)) return () => {};
    return (event, fields) =>
      sink({
        category: CATEGORY,
        level,
        message: [event],
        rawMessage: event,
        timestamp: now().getTime(),
        properties: fields as Record<string, unknown>, // only read, by its own names
      });
  }

  const [debug, info, warn, error] = [at("debug"), at("info"), at("warning"), at("error")];
  const describesErrors = isWritten("error");

  return {
    started: (event) => info("started", event),
    draining: (event) => info("draining", event),
    stopped(): void {
      info("stopped", {});
      output.flush();
    },
    connected: (event) => info("connected", event),
    disconnected: (event) => info("disconnected", event),
    reloaded: (event) => info("reloaded", event),
    refused: (event) => warn("refused", event),
    authenticated: (event) => info("authenticated", event),
    malformed: (event) => debug("malformed", event),
    paused: (event) => debug("paused", event),
    decided: (event) => debug("decided", event),
    exchanged: (event) => info("exchanged", event),
    failed(event): void {
      if (!describesErrors) return;
      error("failed", { ...event, error: describe(event.error) });
      output.flush(); // what went wrong may end the process
    },
    flush: output.flush,
  };
}

/** Lines of one millisecond share the text of their time, and no fields are copied to be written. */
function createToJsonLine(): TextFormatter {
  let timestamp = NaN;
  let time = "";
  return (record) => {
    if (record.timestamp !== timestamp) {
      timestamp = record.timestamp;
      time = toTime(record);
    }
    const event = JSON.stringify(record.rawMessage);
    const fields = JSON.stringify(record.properties).slice(1);
    const separator = fields === "}" ? "" : ",";
    return `{"time":"${time}","level":"${toLevel(record)}","event":${event}${separator}${fields}`;
  };
}

const toPrettyLine: TextFormatter = (record) => {
  const pairs = Object.entries(record.properties).map(([name, value]) =>
    `${name}=${toPrettyValue(value)}`
  );
  const level = toLevel(record).toUpperCase().padEnd(5);
  return [toTime(record).slice(11, 23), level, record.rawMessage, ...pairs].join(" ");
};

function toTime({ timestamp }: LogRecord): string {
  return new Date(timestamp).toISOString();
}

function toLevel({ level }: LogRecord): string {
  return level === "warning" ? "warn" : level;
}

function toPrettyValue(value: unknown): string {
  if (typeof value === "string" && /^[!#-<>-~]+$/.test(value)) return value;
  // JSON leaves some characters as they are that drive a terminal.
  return JSON.stringify(value ?? null).replace(
    /[\x7f-\x9f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${describe(error.cause)}`;
  return `${error.stack ?? error}${cause}`;
}

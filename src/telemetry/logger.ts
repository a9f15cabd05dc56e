/**
 * Writes events as log lines: one line for each, JSON or for people. Records, levels and sinks are
 * LogTape's; its configuration is global and not used, since a process may have more than one log.
 *
 * @module
 */
import { compareLogLevel, type LogLevel as RecordLevel } from "@logtape/logtape";
import { createWriteExchanged } from "./exchanged_line.ts";
import { writeJson } from "./json_line.ts";
import { createLineBuffer } from "./line_buffer.ts";
import { createOutput, type Output, type OutputDeps } from "./output.ts";
import { writePretty } from "./pretty_line.ts";
import { type Redaction, withRedaction, withTokens } from "./redaction.ts";
import type { ExchangedEvent, Telemetry, TelemetryEvent, TelemetryEventType } from "./telemetry.ts";

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
  /** Takes a line without its end. Default: standard output, where it is at most 50 ms later. */
  readonly write?: (line: string) => void;
  /** Where `write` is absent, takes the bytes of lines and gives how many. Default: standard output does. */
  readonly writeSync?: OutputDeps["writeSync"];
  /** Takes out the secrets of this service; what looks like a token is taken out without it. */
  readonly redaction?: Redaction;
  /** Types of events that are not written. */
  readonly silent?: ReadonlySet<TelemetryEventType>;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** A log. */
export interface Logger extends Telemetry {
  /** Writes what has been logged, now. Errors and the end of the service need no call. */
  flush(): void;
}

const CATEGORY: readonly string[] = ["wsfetch"];

const NO_TYPES: ReadonlySet<TelemetryEventType> = new Set();
const NO_SECRETS: Redaction = { version: 0, redact: (text) => text };

const RECORD_LEVELS = {
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
} as const satisfies Record<Exclude<LogLevel, "off">, RecordLevel>;

const EVENT_LEVELS: Readonly<Record<TelemetryEventType, RecordLevel>> = {
  started: "info",
  draining: "info",
  stopped: "info",
  reloaded: "info",
  connected: "info",
  disconnected: "info",
  refused: "warning",
  authenticated: "info",
  malformed: "debug",
  paused: "debug",
  decided: "debug",
  exchanged: "info",
  failed: "error",
};

/** Creates a {@linkcode Logger}. */
export function createLogger(
  {
    level: least,
    format,
    write,
    writeSync,
    redaction: secrets = NO_SECRETS,
    silent = NO_TYPES,
    now = Date.now,
  }: LoggerOptions,
): Logger {
  const output = write === undefined
    ? createOutput({ ...(writeSync && { writeSync }) })
    : createTextOutput(write);
  const writeLine = format === "json" ? writeJson : writePretty;
  const redaction = withTokens(secrets);
  const sink = withRedaction((record) => output.write(record, writeLine), redaction.redact);

  function isWritten(type: TelemetryEventType): boolean {
    return least !== "off" && !silent.has(type) &&
      compareLogLevel(EVENT_LEVELS[type], RECORD_LEVELS[least]) >= 0;
  }

  function writeRecord(event: TelemetryEvent): void {
    if (!isWritten(event.type)) return;
    const { type, ...fields } = event;
    sink({
      category: CATEGORY,
      level: EVENT_LEVELS[type],
      message: [type],
      rawMessage: type,
      timestamp: now(),
      properties: fields,
    });
  }

  /** Most events are exchanges, so that it is decided once how they are written. */
  function createExchangedWriter(): (event: ExchangedEvent) => void {
    if (!isWritten("exchanged")) return () => {};
    if (format !== "json") return writeRecord;
    const writeExchanged = createWriteExchanged({ redaction, now });
    return (event) => output.write(event, writeExchanged);
  }

  const writeExchanged = createExchangedWriter();
  const describesErrors = isWritten("failed");

  return {
    wantsAllowedHops: isWritten("decided"),
    emit(event): void {
      switch (event.type) {
        case "exchanged":
          return writeExchanged(event);
        case "failed":
          if (!describesErrors) return;
          writeRecord({ ...event, error: describe(event.error) });
          return output.flush(); // the process may end because of the error
        case "stopped":
          writeRecord(event);
          return output.flush();
        default:
          return writeRecord(event);
      }
    },
    flush: output.flush,
  };
}

function createTextOutput(write: (line: string) => void): Output {
  const lines = createLineBuffer();
  const decoder = new TextDecoder();
  return {
    write(thing, writeLine): void {
      writeLine(thing, lines);
      const line = decoder.decode(lines.waiting()).slice(0, -1);
      lines.shift(lines.length);
      write(line);
    },
    flush: () => {},
  };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${describe(error.cause)}`;
  return `${error.stack ?? error}${cause}`;
}

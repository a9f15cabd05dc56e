/**
 * Writes each event as a line of the log, in JSON or in a format for terminals.
 *
 * @module
 */
import { type Clock, systemClock } from "../clock.ts";
import { createWriteExchanged } from "./exchanged_line.ts";
import { writeJson } from "./json_line.ts";
import { createLineBuffer } from "./line_buffer.ts";
import { type LogRecord, SEVERITIES, type Severity } from "./log_record.ts";
import { createOutput, type LogStream, type Output } from "./output.ts";
import { writePretty } from "./pretty_line.ts";
import { redactFields, type Redaction, withTokens } from "./redaction.ts";
import type { ExchangedEvent, Telemetry, TelemetryEvent, TelemetryEventType } from "./telemetry.ts";

/** The levels of a log: a log has the events of its level and of all later ones; `off` has none. */
export const LOG_LEVELS = [...SEVERITIES, "off"] as const;

/** One of the {@linkcode LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** The format of lines: JSON, or easy to read in a terminal. */
export type LogFormat = "json" | "pretty";

/** Settings of a {@linkcode Logger}. */
export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Called with each line, without its line feed. Default: lines go to `stream`, at most 50 ms later. */
  readonly write?: (line: string) => void;
  /** Default: standard output. */
  readonly stream?: LogStream | undefined;
  /** Removes the secrets of the service. Anything that looks like a token is removed without it. */
  readonly redaction?: Redaction;
  /** Types of events that are not written. */
  readonly silent?: ReadonlySet<TelemetryEventType>;
  readonly clock?: Clock;
}

/** A log. */
export interface Logger extends Telemetry {
  /** How many lines were dropped, because standard output takes no more. */
  readonly dropped: number;
  /** Fulfils when all waiting lines are written, at the latest after a second. */
  flush(): Promise<void>;
}

const NO_TYPES: ReadonlySet<TelemetryEventType> = new Set();
const NO_SECRETS: Redaction = { version: 0, redact: (text) => text };

const SEVERITY_OF: Readonly<Record<TelemetryEventType, Severity>> = {
  started: "info",
  draining: "info",
  stopped: "info",
  reloaded: "info",
  connected: "info",
  disconnected: "info",
  refused: "warn",
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
    level,
    format,
    write,
    stream,
    redaction: secrets = NO_SECRETS,
    silent = NO_TYPES,
    clock = systemClock,
  }: LoggerOptions,
): Logger {
  const output = write === undefined
    ? createOutput({ ...(stream && { stream }), onDropped: writeDropped, clock })
    : createLineOutput(write);
  const writeLine = format === "json" ? writeJson : writePretty;
  const redaction = withTokens(secrets);

  function isWritten(type: TelemetryEventType): boolean {
    return LOG_LEVELS.indexOf(SEVERITY_OF[type]) >= LOG_LEVELS.indexOf(level) && !silent.has(type);
  }

  function writeEvent(event: TelemetryEvent): void {
    if (!isWritten(event.type)) return;
    const { type, ...fields } = event;
    const record: LogRecord = {
      epochMs: clock.epochMs(),
      severity: SEVERITY_OF[type],
      event: type,
      fields: redactFields(fields, redaction.redact),
    };
    output.write(record, writeLine);
  }

  function writeDropped(lines: number): void {
    const fields = { lines };
    output.write(
      { epochMs: clock.epochMs(), severity: "warn", event: "dropped", fields },
      writeLine,
    );
  }

  /** Chosen once, since most events are exchanges. */
  function chooseWriteExchanged(): (event: ExchangedEvent) => void {
    if (!isWritten("exchanged")) return () => {};
    if (format !== "json") return writeEvent;
    const writeExchanged = createWriteExchanged(redaction, clock);
    return (event) => output.write(event, writeExchanged);
  }

  const writeExchanged = chooseWriteExchanged();
  const writesFailures = isWritten("failed");

  return {
    wantsAllowedHops: isWritten("decided"),
    emit(event): void {
      switch (event.type) {
        case "exchanged":
          return writeExchanged(event);
        case "failed":
          if (!writesFailures) return;
          writeEvent({ ...event, error: describeError(event.error) });
          return void output.flush(); // the error may be about to end the process
        default:
          return writeEvent(event);
      }
    },
    get dropped(): number {
      return output.dropped;
    },
    flush: output.flush,
  };
}

/** Returns an output that passes each line to `write` immediately. */
function createLineOutput(write: (line: string) => void): Output {
  const lines = createLineBuffer();
  const decoder = new TextDecoder();
  return {
    write(thing, writeLine): void {
      writeLine(thing, lines);
      const line = decoder.decode(lines.waiting()).slice(0, -1);
      lines.shift(lines.length);
      write(line);
    },
    dropped: 0,
    flush: () => Promise.resolve(),
  };
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${describeError(error.cause)}`;
  return `${error.stack ?? error}${cause}`;
}

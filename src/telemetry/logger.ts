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
import type { ExchangedEvent, Telemetry } from "./telemetry.ts";

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
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** A log. */
export interface Logger extends Telemetry {
  /** Writes what has been logged, now. Errors and the end of the service need no call. */
  flush(): void;
}

const CATEGORY: readonly string[] = ["wsfetch"];

const NO_SECRETS: Redaction = { version: 0, redact: (text) => text };

const RECORD_LEVELS = {
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
} as const satisfies Record<Exclude<LogLevel, "off">, RecordLevel>;

/** Creates a {@linkcode Logger}. */
export function createLogger(
  { level: least, format, write, writeSync, redaction: secrets = NO_SECRETS, now = Date.now }:
    LoggerOptions,
): Logger {
  const output = write === undefined
    ? createOutput({ ...(writeSync && { writeSync }) })
    : createTextOutput(write);
  const writeLine = format === "json" ? writeJson : writePretty;
  const redaction = withTokens(secrets);
  const sink = withRedaction((record) => output.write(record, writeLine), redaction.redact);

  function isWritten(level: RecordLevel): boolean {
    return least !== "off" && compareLogLevel(level, RECORD_LEVELS[least]) >= 0;
  }

  function at(level: RecordLevel, event: string): (fields: object) => void {
    if (!isWritten(level)) return () => {};
    const message = [event];
    return (fields) =>
      sink({
        category: CATEGORY,
        level,
        message,
        rawMessage: event,
        timestamp: now(),
        properties: fields as Record<string, unknown>, // only read, by its own names
      });
  }

  /** What looks for secrets by itself, in what it has not seen before. */
  function atExchanged(): (event: ExchangedEvent) => void {
    if (format !== "json" || !isWritten("info")) return at("info", "exchanged");
    const writeExchanged = createWriteExchanged({ redaction, now });
    return (event) => output.write(event, writeExchanged);
  }

  const stopped = at("info", "stopped");
  const failed = at("error", "failed");
  const describesErrors = isWritten("error");

  return {
    hearsAllowed: isWritten("debug"),
    started: at("info", "started"),
    draining: at("info", "draining"),
    stopped(): void {
      stopped({});
      output.flush();
    },
    connected: at("info", "connected"),
    disconnected: at("info", "disconnected"),
    reloaded: at("info", "reloaded"),
    refused: at("warning", "refused"),
    authenticated: at("info", "authenticated"),
    malformed: at("debug", "malformed"),
    paused: at("debug", "paused"),
    decided: at("debug", "decided"),
    exchanged: atExchanged(),
    failed(event): void {
      if (!describesErrors) return;
      failed({ ...event, error: describe(event.error) });
      output.flush(); // what went wrong may end the process
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

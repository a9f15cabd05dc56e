/**
 * Writes events as log lines: one line for each, JSON or for people.
 *
 * @module
 */
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
  /** Takes a line without its end. Default: standard output. */
  readonly write?: (line: string) => void;
  /** The time. */
  readonly now?: () => Date;
}

type Level = Exclude<LogLevel, "off">;

/** Creates a {@linkcode Telemetry} that logs. */
export function createLogger(
  { level, format, write = writeToConsole, now = () => new Date() }: LoggerOptions,
): Telemetry {
  const least = LOG_LEVELS.indexOf(level);
  const toLine = format === "json" ? toJsonLine : toPrettyLine;

  function log(level: Level, event: string, fields: object): void {
    if (LOG_LEVELS.indexOf(level) < least) return;
    write(toLine(now().toISOString(), level, event, fields));
  }

  return {
    started: (event) => log("info", "started", event),
    draining: (event) => log("info", "draining", event),
    stopped: () => log("info", "stopped", {}),
    connected: (event) => log("info", "connected", event),
    disconnected: (event) => log("info", "disconnected", event),
    reloaded: (event) => log("info", "reloaded", event),
    refused: (event) => log("warn", "refused", event),
    authenticated: (event) => log("info", "authenticated", event),
    malformed: (event) => log("debug", "malformed", event),
    decided: (event) => log("debug", "decided", event),
    exchanged: (event) => log("info", "exchanged", event),
    failed: ({ error, ...event }) => log("error", "failed", { ...event, error: describe(error) }),
  };
}

function toJsonLine(time: string, level: Level, event: string, fields: object): string {
  return JSON.stringify({ time, level, event, ...fields });
}

function toPrettyLine(time: string, level: Level, event: string, fields: object): string {
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${toPrettyValue(value)}`);
  return [time.slice(11, 23), level.toUpperCase().padEnd(5), event, ...pairs].join(" ");
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

function writeToConsole(line: string): void {
  // deno-lint-ignore no-console -- the one place that writes
  console.log(line);
}

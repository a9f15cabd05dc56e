/**
 * Takes secrets out of log records, whatever event they come in.
 *
 * @module
 */
import type { LogRecord, Sink } from "@logtape/logtape";

/** Gives a text without the secrets in it. */
export type Redact = (text: string) => string;

/** Takes out secrets that may become more. */
export interface Redaction {
  /** Is another number when there are more: what held none may hold one of them. */
  readonly version: number;
  readonly redact: Redact;
}

const REDACTED = "[redacted]";

// The credential of a header (RFC 6750 §2.1), or of a subprotocol "bearer." and the token.
const BEARER = /\b(bearer[\s.]+)[\w\-.~+/]+=*/gi;
// How the header of a JSON Web Token begins in base64url: {"
const JWT_START = "eyJ";
// Taken as a whole, so that a text is read once whatever it holds.
const DOTTED = /(?<![\w.-])[\w.-]+/g;
// Nothing shorter can hold what is looked for here.
const MIN_LENGTH = 8;
const MAY_HOLD_TOKEN = /bearer|eyJ/i;

/** Gives a text without what looks like a token: `Bearer …`, `bearer.…` and JSON Web Tokens. */
export function redactTokens(text: string): string {
  if (text.length < MIN_LENGTH || !MAY_HOLD_TOKEN.test(text)) return text;
  const rest = text.replace(BEARER, `$1${REDACTED}`);
  if (!rest.includes(JWT_START)) return rest;
  return rest.replace(DOTTED, (dotted) => redactJwt(dotted));
}

/** Gives what takes out the same secrets, and what looks like a token. */
export function withTokens(secrets: Redaction): Redaction {
  return {
    get version(): number {
      return secrets.version;
    },
    redact: (text) => redactTokens(secrets.redact(text)),
  };
}

/** Gives a LogTape sink that hands on every record with `redact` applied to each text in its message and properties. */
export function withRedaction(sink: Sink, redact: Redact): Sink {
  return (record) => sink(redactRecord(record, redact));
}

/** From the first header on: a token has two dots behind it. */
function redactJwt(dotted: string): string {
  const start = dotted.indexOf(JWT_START);
  const firstDot = start === -1 ? -1 : dotted.indexOf(".", start);
  const isToken = firstDot !== -1 && dotted.includes(".", firstDot + 1);
  return isToken ? dotted.slice(0, start) + REDACTED : dotted;
}

// Records, properties and lists are copied only when something has changed: most hold no secret.

function redactRecord(record: LogRecord, redact: Redact): LogRecord {
  const message = redactList(record.message, redact);
  const rawMessage = typeof record.rawMessage === "string"
    ? redact(record.rawMessage)
    : record.rawMessage;
  const properties = redactProperties(record.properties, redact);
  const isClean = message === record.message && rawMessage === record.rawMessage &&
    properties === record.properties;
  return isClean ? record : { ...record, message, rawMessage, properties };
}

/** Gives properties with `redact` applied to each text in them. */
export function redactProperties(
  properties: Record<string, unknown>,
  redact: Redact,
): Record<string, unknown> {
  let redacted = properties;
  for (const name in properties) {
    const value = properties[name];
    const kept = redactValue(value, redact);
    if (kept === value) continue;
    if (redacted === properties) redacted = { ...properties };
    redacted[name] = kept;
  }
  return redacted;
}

function redactValue(value: unknown, redact: Redact): unknown {
  if (typeof value === "string") return redact(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return redactList(value, redact);
  // Read only, and by its own names.
  return redactProperties(value as Record<string, unknown>, redact);
}

function redactList(values: readonly unknown[], redact: Redact): readonly unknown[] {
  let redacted: unknown[] | undefined;
  for (let index = 0; index < values.length; index++) {
    const kept = redactValue(values[index], redact);
    if (kept === values[index]) continue;
    redacted ??= [...values];
    redacted[index] = kept;
  }
  return redacted ?? values;
}

/**
 * Removes secrets from the fields of log records.
 *
 * @module
 */

/** Returns a text without the secrets in it. */
export type Redact = (text: string) => string;

/** Removes a set of secrets that may grow. */
export interface Redaction {
  /** Changes when secrets are added: texts that were searched before may contain a new secret. */
  readonly version: number;
  readonly redact: Redact;
}

const REDACTED = "[redacted]";

// The credential of a header (RFC 6750 §2.1), or of a subprotocol: "bearer." and the token.
const BEARER = /\b(bearer[\s.]+)[\w\-.~+/]+=*/gi;
// The first characters of a JSON Web Token: `{"` in base64url.
const JWT_START = "eyJ";
// Matches whole runs of these characters, so that every character of any text is read only once.
const DOTTED = /(?<![\w.-])[\w.-]+/g;
// No shorter text contains a token.
const MIN_LENGTH = 8;
const MAY_CONTAIN_TOKEN = /bearer|eyJ/i;

/** Returns a text without anything that looks like a token: `Bearer …`, `bearer.…` and JSON Web Tokens. */
export function redactTokens(text: string): string {
  if (text.length < MIN_LENGTH || !MAY_CONTAIN_TOKEN.test(text)) return text;
  const rest = text.replace(BEARER, `$1${REDACTED}`);
  if (!rest.includes(JWT_START)) return rest;
  return rest.replace(DOTTED, (dotted) => redactJwt(dotted));
}

/** Returns a {@linkcode Redaction} of the same secrets that also removes anything that looks like a token. */
export function withTokens(secrets: Redaction): Redaction {
  return {
    get version(): number {
      return secrets.version;
    },
    redact: (text) => redactTokens(secrets.redact(text)),
  };
}

/**
 * Returns fields with `redact` applied to each text in them, however deeply nested. Objects and arrays are copied
 * only when a text in them has changed; most contain no secret.
 */
export function redactFields(
  fields: Readonly<Record<string, unknown>>,
  redact: Redact,
): Readonly<Record<string, unknown>> {
  let redacted: Record<string, unknown> | undefined;
  for (const name in fields) {
    const value = fields[name];
    const kept = redactValue(value, redact);
    if (kept === value) continue;
    redacted ??= { ...fields };
    redacted[name] = kept;
  }
  return redacted ?? fields;
}

function redactValue(value: unknown, redact: Redact): unknown {
  if (typeof value === "string") return redact(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return redactList(value, redact);
  // Safe: the members are read only, and by their own names.
  return redactFields(value as Record<string, unknown>, redact);
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

/** Removes everything from the first token header on, where two dots follow: a token has three or five parts. */
function redactJwt(dotted: string): string {
  const start = dotted.indexOf(JWT_START);
  const firstDot = start === -1 ? -1 : dotted.indexOf(".", start);
  const isToken = firstDot !== -1 && dotted.includes(".", firstDot + 1);
  return isToken ? dotted.slice(0, start) + REDACTED : dotted;
}

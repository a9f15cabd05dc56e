/**
 * Removes secrets from texts, in their common encodings too.
 *
 * @module
 */

/** Returns a text with its secrets replaced by `[redacted]`. */
export type Redactor = (text: string) => string;

const REDACTED = "[redacted]";

// Shorter secrets appear in texts by chance.
const MIN_LENGTH = 4;

/**
 * Creates a {@linkcode Redactor}. It finds secrets as they are, percent-encoded, escaped as in JSON, and in base64
 * or base64url. A secret of fewer than 4 characters is replaced only if it is the whole text.
 *
 * @returns `undefined` if there are no secrets.
 */
export function createRedactor(secrets: readonly string[]): Redactor | undefined {
  const known = [...new Set(secrets)].filter((secret) => secret !== "");
  if (known.length === 0) return undefined;
  const short = new Set(known.filter((secret) => secret.length < MIN_LENGTH));
  const long = known.filter((secret) => secret.length >= MIN_LENGTH);
  const pattern = long.length === 0 ? undefined : compile(long.flatMap(formsOf));
  const shortest = Math.min(...long.map((secret) => secret.length)); // no form of a secret is shorter than the secret
  return function redact(text: string): string {
    if (text.length < MIN_LENGTH) return short.has(text) ? REDACTED : text;
    // Most texts contain no secret; a search finds that out in half the time of a replacement.
    if (pattern === undefined || text.length < shortest || text.search(pattern) < 0) return text;
    return text.replace(pattern, REDACTED);
  };
}

/** An encoding of a secret. */
interface Form {
  /** Longer forms are tried first. */
  readonly length: number;
  /** The source of a RegExp that matches the form. */
  readonly source: string;
}

// Each source matches one text or fixed variants of it, so the RegExp needs no backtracking.
function compile(forms: readonly Form[]): RegExp {
  const sources = forms.toSorted((a, b) => b.length - a.length).map(({ source }) => source);
  return new RegExp([...new Set(sources)].join("|"), "g");
}

function formsOf(secret: string): readonly Form[] {
  const percent = encodeURIComponent(secret.toWellFormed());
  const escaped = JSON.stringify(secret).slice(1, -1);
  const bytes = new TextEncoder().encode(secret);
  const base64 = bytes.toBase64({ omitPadding: true });
  const base64url = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  return [
    toForm(secret),
    { length: percent.length, source: toPercentSource(secret.toWellFormed()) },
    { length: escaped.length, source: toJsonSource(escaped) },
    { ...toForm(base64), source: `${RegExp.escape(base64)}={0,2}` },
    { ...toForm(base64url), source: `${RegExp.escape(base64url)}={0,2}` },
  ];
}

function toForm(text: string): Form {
  return { length: text.length, source: RegExp.escape(text) };
}

/** Matches the text of any percent-encoder: they leave different characters as they are; forms write "+" for a space. */
function toPercentSource(text: string): string {
  return Array.from(text, (character) => {
    const source = RegExp.escape(character);
    if (/[\da-z]/i.test(character)) return source;
    const encoded = new TextEncoder().encode(character).toHex().replace(/../g, "%$&");
    return `(?:${anyCase(encoded)}|${source}${character === " " ? "|\\+" : ""})`;
  }).join("");
}

/** Matches the text of any JSON encoder: a slash may have a backslash, other than ASCII may be written as `\u`. */
function toJsonSource(escaped: string): string {
  return escaped.split("").map((unit) => {
    if (unit === "/") return "\\\\?/";
    const source = RegExp.escape(unit);
    if (unit < "\x7f") return source;
    return `(?:${source}|\\\\u${anyCase(unit.charCodeAt(0).toString(16).padStart(4, "0"))})`;
  }).join("");
}

function anyCase(text: string): string {
  return text.replace(/[a-f]/gi, (digit) => `[${digit.toLowerCase()}${digit.toUpperCase()}]`);
}

/**
 * The header fields of an upstream: references to secrets in them, and the texts that must not be shown.
 *
 * @module
 */
import { isFieldValue, isToken, trimOws } from "../http/grammar.ts";
import type { HeaderPairs } from "../protocol/mod.ts";

/** Where definitions of upstreams and their secrets are read from. */
export interface UpstreamSources {
  /** Returns an environment variable, or `undefined` if it is not set. */
  env(name: string): string | undefined;
  /** Returns the text of a file. Throws if it cannot be read. */
  readText(path: string): string;
}

/** A header value with its references replaced. */
export interface Interpolated {
  readonly value: string;
  /** The values of the references, in their order. */
  readonly secrets: readonly string[];
}

/** The header fields that an upstream adds. */
export interface UpstreamHeaders {
  /** Names are in lower case. */
  readonly headers: HeaderPairs;
  /** Texts that must not be shown. */
  readonly secrets: readonly string[];
  /** What is wrong, by the path of the field. Messages never contain a value. */
  readonly problems: readonly { readonly path: readonly string[]; readonly message: string }[];
}

// Fields of the framing and of one connection (RFC 9110 §7.6.1), which the HTTP client sets. With "accept-encoding"
// or "range" it does not decode bodies, which is for the request to decide.
const HOP_FIELD =
  /^(?:accept-encoding|range|connection|content-length|expect|host|http2-settings|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*|sec-websocket-.*)$/;

// Fields that hold no secrets. Their values may appear in responses: a version may be a date, as in any body.
const HARMLESS_FIELD =
  /^(?:accept(?:-.+)?|cache-control|content-type|dnt|from|origin|pragma|prefer|priority|referer|user-agent|x-requested-with|(?:.+-)?version)$/;

const REFERENCE = /\$\{(?:([^{}]*)\})?/g;
const ENV_REFERENCE = /^env:([A-Za-z_]\w*)$/;
const FILE_REFERENCE = /^file:(\/[^\0]*)$/;

/** Parses the header fields of a definition: an object of strings. */
export function parseHeaders(value: unknown, sources: UpstreamSources): UpstreamHeaders {
  const headers = new Map<string, string>();
  const seen = new Set<string>();
  const secrets = new Set<string>();
  const problems: { path: string[]; message: string }[] = [];
  const fields = typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value)
    : undefined;
  if (fields === undefined) problems.push({ path: [], message: "must be an object" });
  for (const [spelling, text] of fields ?? []) {
    const name = spelling.toLowerCase();
    try {
      if (seen.has(name)) throw new TypeError("is given twice");
      seen.add(name);
      const field = parseField(name, text, sources);
      headers.set(name, field.value);
      for (const secret of collectSecrets(name, field)) secrets.add(secret);
    } catch (error) {
      problems.push({ path: [name], message: error instanceof Error ? error.message : "" });
    }
  }
  return { headers: [...headers], secrets: [...secrets], problems };
}

/**
 * Replaces `${env:NAME}` by an environment variable, and `${file:/path}` by the text of a file without line ends
 * at its end. References in the replaced texts have no effect.
 *
 * @throws {TypeError} A reference has no value, or `${` does not start a reference. The message continues a
 * sentence that starts with the name of the field. It contains the reference, never its value.
 */
export function interpolate(value: string, sources: UpstreamSources): Interpolated {
  const secrets: string[] = [];
  const replaced = value.replace(REFERENCE, (_, reference: string | undefined) => {
    const secret = lookUp(reference ?? "", sources);
    secrets.push(secret);
    return secret;
  });
  return { value: replaced, secrets };
}

/**
 * Returns the texts of a header field that must not be shown: the values of its references, the whole value, and
 * the credentials in it. A well-known field like `accept` without references has none.
 *
 * @param name In lower case.
 */
export function collectSecrets(name: string, { value, secrets }: Interpolated): readonly string[] {
  if (secrets.length === 0 && HARMLESS_FIELD.test(name)) return [];
  const [, scheme = "", credentials] = /^([\w-]+)[ \t]+(\S.*)$/.exec(value) ?? [];
  const parts = credentials === undefined ? [] : [credentials];
  if (credentials !== undefined && scheme.toLowerCase() === "basic") {
    parts.push(...decodeBasic(credentials));
  }
  return [...new Set([...secrets, value, ...parts])].filter((secret) => secret !== "");
}

function parseField(name: string, text: unknown, sources: UpstreamSources): Interpolated {
  if (!isToken(name)) throw new TypeError("is not the name of a header field");
  if (HOP_FIELD.test(name)) {
    throw new TypeError("cannot be set: the HTTP client sets it");
  }
  if (typeof text !== "string") throw new TypeError("must be a string");
  const { value, secrets } = interpolate(text, sources);
  const trimmed = trimOws(value); // as the HTTP client does: redaction must find the text that is sent
  if (trimmed === "") throw new TypeError("must not be empty");
  if (isFieldValue(trimmed)) return { value: trimmed, secrets };
  throw new TypeError("must not contain control characters, nor characters above U+00FF");
}

function lookUp(reference: string, sources: UpstreamSources): string {
  const [, name] = ENV_REFERENCE.exec(reference) ?? [];
  if (name !== undefined) {
    return read(() => sources.env(name), `the environment variable ${name}`);
  }
  const [, path] = FILE_REFERENCE.exec(reference) ?? [];
  if (path !== undefined) {
    const readFile = (): string => sources.readText(path).replace(/[\r\n]+$/, "");
    return read(readFile, `the file ${JSON.stringify(path)}`);
  }
  // The value is not quoted: a secret that is written in the definition may contain "${" too.
  throw new TypeError('has a "${" that starts neither ${env:NAME} nor ${file:/path}');
}

function read(get: () => string | undefined, source: string): string {
  let text: string | undefined;
  try {
    text = get();
  } catch (cause) {
    throw new TypeError(`needs ${source}, which cannot be read`, { cause });
  }
  if (text === undefined) throw new TypeError(`needs ${source}, which is not set`);
  if (text === "") throw new TypeError(`needs ${source}, which is empty`);
  return text;
}

/** Returns `user:password` and the password (RFC 7617), decoded as UTF-8 if they are, else as Latin-1. */
function decodeBasic(credentials: string): readonly string[] {
  let pair: string;
  try {
    const bytes = Uint8Array.fromBase64(credentials);
    pair = new TextDecoder().decode(bytes);
    if (pair.includes("\ufffd")) pair = new TextDecoder("latin1").decode(bytes);
  } catch {
    return []; // not base64, so there is no password in it
  }
  return [pair, pair.slice(pair.indexOf(":") + 1)];
}

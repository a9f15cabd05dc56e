/**
 * An upstream's header fields: references to where secrets are kept, and which texts must not be shown.
 *
 * @module
 */
import type { HeaderPairs } from "../protocol/mod.ts";

/** Where the configuration of upstreams gets what it refers to. */
export interface UpstreamSources {
  /** Gives an environment variable. */
  env(name: string): string | undefined;
  /** Gives the text of a file; throws when it cannot be read. */
  readText(path: string): string;
}

/** A header value with its references replaced. */
export interface Interpolated {
  readonly value: string;
  /** What the references stood for, in their order. */
  readonly secrets: readonly string[];
}

/** The header fields that an upstream adds. */
export interface UpstreamHeaders {
  /** Names are lower-case. */
  readonly headers: HeaderPairs;
  /** Texts that must not be shown. */
  readonly secrets: readonly string[];
  /** What is wrong with which field; never a value. */
  readonly problems: readonly { readonly path: readonly string[]; readonly message: string }[];
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// deno-lint-ignore no-control-regex -- the tab is the one control character allowed
const FIELD_VALUE = /^[\x09\x20-\x7e\x80-\xff]+$/;
// Framing, and what is between two hops only (RFC 9110 §7.6.1): fetch's own. After "accept-encoding" and
// "range" fetch leaves bodies coded, which is for the request to say.
const HOP_FIELD =
  /^(?:accept-encoding|range|connection|content-length|expect|host|http2-settings|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*|sec-websocket-.*)$/;

// What says who asks and for what, and that a response may well hold too: a version is a date in any body.
const HARMLESS_FIELD =
  /^(?:accept(?:-.+)?|cache-control|content-type|dnt|from|origin|pragma|prefer|priority|referer|user-agent|x-requested-with|(?:.+-)?version)$/;

const REFERENCE = /\$\{(?:([^{}]*)\})?/g;
const ENV_REFERENCE = /^env:([A-Za-z_]\w*)$/;
const FILE_REFERENCE = /^file:(\/[^\0]*)$/;

/** Gives the header fields that a JSON object of texts describes. */
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
      if (seen.has(name)) throw new TypeError("is there twice");
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
 * Replaces `${env:NAME}` by an environment variable and `${file:/path}` by a file's text without the line
 * ends behind it. What they stand for is not looked at for references.
 *
 * @throws {TypeError} There is nothing there, or `${` begins no reference. The message goes behind the name
 * of the header field, and holds the reference, never what it stands for.
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
 * Gives the texts of a header field that must not be shown: what its references stand for, the whole value
 * and its parts. A well-known field like `accept` that refers to nothing has none.
 *
 * @param name Lower-case.
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
  if (!TOKEN.test(name)) throw new TypeError("is not the name of a header field");
  if (HOP_FIELD.test(name)) {
    throw new TypeError("cannot be set: fetch and the connection decide it");
  }
  if (typeof text !== "string") throw new TypeError("must be a string");
  const { value, secrets } = interpolate(text, sources);
  const trimmed = value.replace(/^[\t ]+|[\t ]+$/g, ""); // as fetch does, so that it is found as sent
  if (trimmed === "") throw new TypeError("must not be empty");
  if (FIELD_VALUE.test(trimmed)) return { value: trimmed, secrets };
  throw new TypeError("must not hold control characters, nor any beyond U+00FF");
}

function lookUp(reference: string, sources: UpstreamSources): string {
  const [, name] = ENV_REFERENCE.exec(reference) ?? [];
  if (name !== undefined) {
    return found(() => sources.env(name), `the environment variable ${name}`);
  }
  const [, path] = FILE_REFERENCE.exec(reference) ?? [];
  if (path !== undefined) {
    const read = (): string => sources.readText(path).replace(/[\r\n]+$/, "");
    return found(read, `the file ${JSON.stringify(path)}`);
  }
  // It is not quoted: a secret that was written out may hold "${" too.
  throw new TypeError('has a "${" that begins neither ${env:NAME} nor ${file:/path}');
}

function found(get: () => string | undefined, what: string): string {
  let text: string | undefined;
  try {
    text = get();
  } catch (cause) {
    throw new TypeError(`needs ${what}, which cannot be read`, { cause });
  }
  if (text === undefined) throw new TypeError(`needs ${what}, which is not set`);
  if (text === "") throw new TypeError(`needs ${what}, which is empty`);
  return text;
}

/** `user:password` and the password (RFC 7617), read as UTF-8 where it is. */
function decodeBasic(credentials: string): readonly string[] {
  let pair: string;
  try {
    const bytes = Uint8Array.fromBase64(credentials);
    pair = new TextDecoder().decode(bytes);
    if (pair.includes("\ufffd")) pair = new TextDecoder("latin1").decode(bytes);
  } catch {
    return []; // no base64: there is nothing else to hide in it
  }
  return [pair, pair.slice(pair.indexOf(":") + 1)];
}

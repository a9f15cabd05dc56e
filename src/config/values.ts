/**
 * Parsers of the values that only settings have: ports, methods, origins, the URL of a key set.
 *
 * @module
 */
import { isRequestableMethod } from "../http/grammar.ts";
import { classifyAddress } from "../policy/address.ts";
import { isLocalName, toDestination } from "../policy/destination.ts";

/** The largest TCP port. */
export const MAX_PORT = 65535;

/**
 * Parses a port.
 *
 * @throws {TypeError} The text is not a number from 1 to {@linkcode MAX_PORT}.
 */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= MAX_PORT) return port;
  throw new TypeError(`${JSON.stringify(text)} is not a port from 1 to ${MAX_PORT}`);
}

/**
 * Returns a method in upper case.
 *
 * @throws {TypeError} The text is not a method, or is one that `fetch` refuses.
 */
export function parseMethod(text: string): string {
  const method = text.toUpperCase();
  if (isRequestableMethod(method)) return method;
  throw new TypeError(`${JSON.stringify(text)} is not a method that can be allowed`);
}

/**
 * Returns an origin as browsers send it, the origin of all subdomains (`https://*.example.com`), or `*`.
 *
 * @throws {TypeError} The text is none of these.
 */
export function parseOrigin(text: string): string {
  const example = text.replace(/:\/\/\*\.(?=[^.])/, "://x.");
  if (text === "*" || !example.includes("*") && URL.parse(example)?.origin === example) return text;
  throw new TypeError(
    `${JSON.stringify(text)} is not an origin; write one like https://app.example.com, ` +
      "https://*.example.com or *",
  );
}

/**
 * Parses the URL of a key set. Returns `undefined` for an empty text.
 *
 * @throws {TypeError} The URL is neither an `https:` URL nor an `http:` URL of a private host. Over a public network,
 * others could replace the keys on their way and then sign tokens.
 */
export function parseJwksUrl(text: string): URL | undefined {
  if (text === "") return undefined;
  const url = URL.parse(text);
  if (url?.protocol === "https:" || url?.protocol === "http:" && isPrivateHost(url)) return url;
  throw new TypeError(
    "must be an https URL, or an http URL whose host is a private address or a local name",
  );
}

function isPrivateHost(url: URL): boolean {
  const { host, literal } = toDestination(url);
  return literal === undefined ? isLocalName(host) : classifyAddress(literal) !== "public";
}

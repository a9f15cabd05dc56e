/**
 * Destinations of requests, and the operator's rules for them.
 *
 * @module
 */
import ipaddr from "ipaddr.js";
import { type Address, carriedAddress, parseAddress } from "./address.ts";

/** The host and port that a request connects to, normalised. */
export interface Destination {
  /** In lower case, without trailing dots and brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
  /** The host, if it is an address. */
  readonly literal: Address | undefined;
}

/** The ports of a rule: one, all (`*`), or, if absent, those of the setting for ports. */
export type RulePort = number | "*" | undefined;

/** A rule of `ALLOW_HOSTS` or `DENY_HOSTS`. `text` is the rule as the operator wrote it. */
export type HostRule =
  | { readonly kind: "public"; readonly text: string; readonly port: undefined }
  | { readonly kind: "host"; readonly text: string; readonly host: string; readonly port: RulePort }
  | {
    readonly kind: "subdomains";
    readonly text: string;
    /** The end of the host, with its leading dot. */
    readonly suffix: string;
    readonly port: RulePort;
  }
  | {
    readonly kind: "range";
    readonly text: string;
    readonly range: readonly [Address, number];
    readonly port: RulePort;
  };

// Names in a local network rather than on the internet: RFC 6761 §6.3, RFC 6762 §3, RFC 8375,
// the `internal` top-level domain (ICANN, 2024), and the names of cloud metadata services.
const LOCAL_SUFFIXES = [".localhost", ".local", ".internal", ".home.arpa"];
const LOCAL_NAMES: ReadonlySet<string> = new Set(["metadata.goog", "instance-data.ec2.internal"]);

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** Returns the destination of a request for an http or https URL. */
export function toDestination(url: URL): Destination {
  const host = normaliseHost(url.hostname);
  return {
    host,
    port: url.port === "" ? DEFAULT_PORTS[url.protocol] ?? 0 : Number(url.port),
    // With more than one trailing dot, an address is looked up as a name.
    literal: url.hostname.endsWith("..") ? undefined : parseAddress(host),
  };
}

/** Returns whether a name is local: the rule `public` does not allow it, even if its addresses are public. */
export function isLocalName(host: string): boolean {
  return !host.includes(".") || LOCAL_NAMES.has(host) ||
    LOCAL_SUFFIXES.some((suffix) => host.endsWith(suffix));
}

/**
 * Parses a rule of `ALLOW_HOSTS` or `DENY_HOSTS`.
 *
 * @throws {TypeError} The text is not a rule; the message describes the forms of rules.
 */
export function parseHostRule(text: string): HostRule {
  if (text === "public") return { kind: "public", text, port: undefined };
  const match = /^(\[[^\]]*\]|[^:[\]]*)(?::(\*|\d+))?$/.exec(text);
  const [, place = "", portText] = match ?? [];
  const port = parsePort(portText);
  if (place === "" || port === 0) throw notARule(text);

  const range = parseRange(place.replace(/^\[|\]$/g, ""));
  if (range !== undefined) return { kind: "range", text, range, port };

  const wildcard = place.startsWith("*.");
  const host = parseHost(wildcard ? place.slice(2) : place);
  if (host === undefined) throw notARule(text);
  return wildcard
    ? { kind: "subdomains", text, suffix: `.${host}`, port }
    : { kind: "host", text, host, port };
}

/** Returns whether a rule for names matches a host. Does not look at the port. */
export function matchesName(rule: HostRule, host: string): boolean {
  if (rule.kind === "host") return host === rule.host;
  return rule.kind === "subdomains" && host.endsWith(rule.suffix);
}

/** Returns whether a rule for addresses matches an address. Does not look at the port. */
export function matchesAddress(rule: HostRule, address: Address): boolean {
  return rule.kind === "range" && isInRange(address, rule.range);
}

/** Returns whether a rule for addresses matches the IPv4 address that an IPv6 address carries. Only for denying. */
export function matchesCarriedAddress(rule: HostRule, address: Address): boolean {
  const carried = carriedAddress(address);
  return carried !== undefined && matchesAddress(rule, carried.address);
}

/** Returns whether a rule's port matches; returns `otherwise` for a rule without a port. */
export function matchesPort(rule: HostRule, port: number, otherwise: boolean): boolean {
  return rule.port === undefined ? otherwise : rule.port === "*" || rule.port === port;
}

function normaliseHost(hostname: string): string {
  return hostname.toLowerCase().replace(/\.+$/, "").replace(/^\[|\]$/g, "");
}

function parsePort(text: string | undefined): RulePort {
  if (text === undefined || text === "*") return text;
  const port = Number(text);
  return port <= 65535 ? port : 0;
}

function parseRange(text: string): readonly [Address, number] | undefined {
  const [addressText = "", bitsText, ...rest] = text.split("/");
  const address = parseAddress(addressText);
  if (address === undefined || rest.length > 0) return undefined;
  const width = address.kind() === "ipv6" ? 128 : 32;
  const bits = bitsText === undefined ? width : /^\d+$/.test(bitsText) ? Number(bitsText) : NaN;
  return bits <= width ? [address, bits] : undefined;
}

function parseHost(text: string): string | undefined {
  if (/[\s/?#@\\*%:]/.test(text)) return undefined;
  const hostname = URL.parse(`http://${text}/`)?.hostname;
  const host = hostname === undefined ? "" : normaliseHost(hostname);
  // A number that the URL parser reads as an address is a mistyped address rather than a name.
  if (host === "" || host === "public" || host.split(".").includes("")) return undefined;
  return ipaddr.isValid(host) ? undefined : host;
}

function isInRange(address: Address, [network, bits]: readonly [Address, number]): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

function notARule(text: string): TypeError {
  return new TypeError(
    `${JSON.stringify(text)} is not a rule; write public, or a host like api.example.com or ` +
      "*.example.com, or an address or range like 10.0.0.0/8 or [fd00::/8]; a host, address or range " +
      "may be followed by :port or :*",
  );
}

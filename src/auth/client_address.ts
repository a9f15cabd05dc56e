/**
 * Where a client is: the address of its socket, or what the operator's own proxies say of it.
 *
 * @module
 */
import ipaddr from "ipaddr.js";

/** Gives the address of a client, from the headers of its request and the address of the socket. */
export type ClientAddress = (headers: Headers, socketAddress: string) => string;

/** Whom a client's address is taken from. */
export interface ClientAddressOptions {
  /** How many proxies stand in front, each of which adds to `X-Forwarded-For`. 0: none. */
  readonly trustProxy: number;
}

// "1.2.3.4:567", "[::1]" and "[::1]:80"; a bare IPv6 address has more than one colon.
const BRACKETED = /^\[([^\]]*)\](?::\d{1,5})?$/;
const WITH_PORT = /^([^:]*):\d{1,5}$/;

const NETWORK_BITS = 64; // what one host, or one home, is given: RFC 6177 §2

/**
 * Creates a {@linkcode ClientAddress}. Of n proxies the n-th entry from the right counts; what stands
 * further left is the client's own word.
 */
export function createClientAddress({ trustProxy }: ClientAddressOptions): ClientAddress {
  return function toClientAddress(headers, socketAddress): string {
    const forwarded = headers.get("x-forwarded-for");
    if (trustProxy === 0 || forwarded === null) return socketAddress;
    const entries = forwarded.split(",");
    const entry = entries[Math.max(0, entries.length - trustProxy)] ?? "";
    return parseEntry(entry.trim()) ?? socketAddress;
  };
}

/**
 * Gives what limits count by: an IPv4 address, also when it is mapped into IPv6, or the /64 prefix of
 * an IPv6 address, of which one host has all. What is no address stays as it is.
 */
export function toAddressKey(address: string): string {
  if (!ipaddr.IPv6.isValid(address)) return address;
  const parsed = ipaddr.IPv6.parse(address);
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString();
  const prefix = ipaddr.IPv6.networkAddressFromCIDR(`${withoutZone(address)}/${NETWORK_BITS}`);
  return `${prefix}/${NETWORK_BITS}`;
}

function parseEntry(entry: string): string | undefined {
  const text = (BRACKETED.exec(entry) ?? WITH_PORT.exec(entry))?.[1] ?? entry;
  const isBracketed = entry.startsWith("[");
  // Not isValid(), which takes "1" and "0x7f.1" for IPv4 addresses.
  if (!isBracketed && ipaddr.IPv4.isValidFourPartDecimal(text)) return text;
  return ipaddr.IPv6.isValid(text) ? text : undefined;
}

/** An interface ("fe80::1%eth0") is no part of the address. */
function withoutZone(address: string): string {
  return address.replace(/%.*$/, "");
}

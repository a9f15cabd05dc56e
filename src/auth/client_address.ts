/**
 * The address of a client: that of its socket, or the one that the operator's own proxies report.
 *
 * @module
 */
import ipaddr from "ipaddr.js";

/** Returns the address of a client. The socket may be that of a proxy. */
export type ClientAddress = (headers: Headers, socketAddress: string) => string;

// "1.2.3.4:567", "[::1]" and "[::1]:80"; a bare IPv6 address has more than one colon.
const BRACKETED = /^\[([^\]]*)\](?::\d{1,5})?$/;
const WITH_PORT = /^([^:]*):\d{1,5}$/;

const NETWORK_BITS = 64; // one host or one home may have a network of this size, RFC 6177 §2

/**
 * Creates a {@linkcode ClientAddress}. With n proxies, the n-th entry of `X-Forwarded-For` from the right is the
 * address; entries to the left of it are claims of the client.
 *
 * @param options `trustProxy` is how many proxies stand in front of the service. Each of them must add an entry
 * to `X-Forwarded-For`.
 */
export function createClientAddress(
  { trustProxy }: { readonly trustProxy: number },
): ClientAddress {
  return function toClientAddress(headers, socketAddress): string {
    const forwarded = headers.get("x-forwarded-for");
    if (trustProxy === 0 || forwarded === null) return socketAddress;
    const entries = forwarded.split(",");
    const entry = entries[Math.max(0, entries.length - trustProxy)] ?? "";
    return parseEntry(entry.trim()) ?? socketAddress;
  };
}

/**
 * Returns the key by which limits count an address: an IPv4 address, also if it is mapped into IPv6, or the /64
 * prefix of an IPv6 address, since one host may use all addresses of a prefix. Returns other texts unchanged.
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
  // isValid() would accept "1" and "0x7f.1" as IPv4 addresses.
  if (!isBracketed && ipaddr.IPv4.isValidFourPartDecimal(text)) return text;
  return ipaddr.IPv6.isValid(text) ? text : undefined;
}

/** Removes the zone ("%eth0" of "fe80::1%eth0"), which is not part of the address. */
function withoutZone(address: string): string {
  return address.replace(/%.*$/, "");
}

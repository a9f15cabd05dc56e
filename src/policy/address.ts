/**
 * Classifies addresses: `public`, or a named class that the service does not connect to unless the operator
 * allows it.
 *
 * The table replaces `range()` of `ipaddr.js`, which calls 168.63.129.16 and 100:0:0:1::1 unicast.
 * Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190).
 *
 * @module
 */
import ipaddr from "ipaddr.js";

/** An IPv4 or IPv6 address, parsed. */
export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A class of addresses. */
export type AddressClass = "public" | SpecialAddressClass;

/** A class of addresses that is denied by default. */
export type SpecialAddressClass =
  | "unspecified"
  | "loopback"
  | "private"
  | "shared"
  | "link-local"
  | "metadata"
  | "multicast"
  | "broadcast"
  | "documentation"
  | "benchmarking"
  | "reserved";

type Row = readonly [range: string, addressClass: AddressClass];

// The first row that matches decides, so a single address stands before the range that contains it.
const IPV4_TABLE: readonly Row[] = [
  ["169.254.169.254/32", "metadata"], // the metadata service of most clouds
  ["169.254.170.2/32", "metadata"], // credentials of container tasks
  ["100.100.100.200/32", "metadata"], // the metadata service of one cloud, in the shared range
  ["168.63.129.16/32", "metadata"], // a cloud platform's wire server, in public address space
  ["192.0.0.192/32", "metadata"], // the metadata service of one cloud
  ["0.0.0.0/8", "unspecified"], // "this network", RFC 791 §3.2
  ["10.0.0.0/8", "private"], // RFC 1918
  ["100.64.0.0/10", "shared"], // carrier-grade NAT, RFC 6598
  ["127.0.0.0/8", "loopback"], // RFC 1122 §3.2.1.3
  ["169.254.0.0/16", "link-local"], // RFC 3927
  ["172.16.0.0/12", "private"], // RFC 1918
  ["192.0.0.0/24", "reserved"], // IETF protocol assignments, RFC 6890 §2.1
  ["192.0.2.0/24", "documentation"], // TEST-NET-1, RFC 5737
  ["192.31.196.0/24", "reserved"], // AS112-v4, RFC 7535
  ["192.52.193.0/24", "reserved"], // AMT, RFC 7450
  ["192.88.99.0/24", "reserved"], // 6to4 relay anycast, RFC 7526
  ["192.168.0.0/16", "private"], // RFC 1918
  ["192.175.48.0/24", "reserved"], // direct delegation AS112, RFC 7534
  ["198.18.0.0/15", "benchmarking"], // RFC 2544
  ["198.51.100.0/24", "documentation"], // TEST-NET-2, RFC 5737
  ["203.0.113.0/24", "documentation"], // TEST-NET-3, RFC 5737
  ["224.0.0.0/4", "multicast"], // RFC 5771
  ["255.255.255.255/32", "broadcast"], // RFC 8190
  ["240.0.0.0/4", "reserved"], // RFC 1112 §4
];

const IPV6_TABLE: readonly Row[] = [
  ["fd00:ec2::254/128", "metadata"], // the metadata service of one cloud
  ["fd20:ce::254/128", "metadata"], // the metadata service of another
  ["::/128", "unspecified"], // RFC 4291 §2.5.2
  ["::1/128", "loopback"], // RFC 4291 §2.5.3
  ["fc00::/7", "private"], // unique local, RFC 4193
  ["fe80::/10", "link-local"], // RFC 4291 §2.5.6
  ["fec0::/10", "private"], // site-local, RFC 3879
  ["ff00::/8", "multicast"], // RFC 4291 §2.7
  ["2001:db8::/32", "documentation"], // RFC 3849
  ["2001:2::/48", "benchmarking"], // RFC 5180
  ["2001::/23", "reserved"], // IETF protocol assignments, RFC 2928; contains Teredo
  ["2002::/16", "reserved"], // 6to4, RFC 3056
  ["2620:4f:8000::/48", "reserved"], // direct delegation AS112, RFC 7534
  ["3fff::/20", "documentation"], // RFC 9637
  ["2000::/3", "public"], // the only global unicast space, RFC 4291 §2.4
  ["::/0", "reserved"],
];

const IPV4_CLASSES = IPV4_TABLE.map(([range, addressClass]) => ({
  range: ipaddr.IPv4.parseCIDR(range),
  addressClass,
}));

const IPV6_CLASSES = IPV6_TABLE.map(([range, addressClass]) => ({
  range: ipaddr.IPv6.parseCIDR(range),
  addressClass,
}));

/**
 * Parses an address in one of its usual forms, without brackets. Returns `undefined` if the text is not an
 * address. An IPv4-mapped IPv6 address becomes the IPv4 address that a connection to it reaches.
 */
export function parseAddress(text: string): Address | undefined {
  // The zone of a link-local address ("fe80::1%eth0") names an interface and is not part of the address.
  const bare = text.replace(/%.*$/, "");
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare);
  if (!/^[0-9a-f:.]+$/i.test(bare)) return undefined;
  // The URL parser writes "::127.0.0.1" in hexadecimal; ipaddr.js would read it as IPv4-mapped.
  const canonical = URL.parse(`http://[${bare}]/`)?.hostname.slice(1, -1);
  return canonical === undefined ? undefined : ipaddr.process(canonical);
}

/**
 * Returns the class of an address. An IPv6 address that carries an IPv4 address has the class of the IPv4
 * address, unless that is public and a connection does not reach it.
 */
export function classifyAddress(address: Address): AddressClass {
  const carried = carriedAddress(address);
  if (carried === undefined) return lookUp(address);
  const carriedClass = lookUp(carried.address);
  return carriedClass === "public" && !carried.reachable ? lookUp(address) : carriedClass;
}

/**
 * Returns the IPv4 address that an IPv6 address carries, and whether a connection reaches it by the standard
 * meaning of the prefix; `undefined` if it carries none.
 */
export function carriedAddress(
  address: Address,
): { readonly address: ipaddr.IPv4; readonly reachable: boolean } | undefined {
  if (!isIPv6(address)) return undefined;
  const bytes = address.toByteArray();
  const at = (start: number, mask = 0) => ({
    address: new ipaddr.IPv4(bytes.slice(start, start + 4).map((byte) => byte ^ mask)),
    reachable: false,
  });
  const starts = (...prefix: number[]): boolean => prefix.every((byte, i) => bytes[i] === byte);
  if (starts(0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0)) {
    return { ...at(12), reachable: true }; // NAT64, RFC 6052 §2.1: how an IPv6-only host reaches IPv4
  }
  if (starts(0x20, 0x02)) return at(2); // 6to4, RFC 3056 §2
  if (starts(0x20, 0x01, 0, 0)) return at(12, 0xff); // Teredo, RFC 4380 §4: inverted
  if ((bytes[8] ?? 0) <= 2 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe) {
    return at(12); // ISATAP, RFC 5214 §6.1
  }
  // IPv4-compatible, RFC 4291 §2.5.5.1; :: and ::1 do not carry an IPv4 address.
  if (starts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) && (bytes[12] ?? 0) !== 0) return at(12);
  return undefined;
}

function lookUp(address: Address): AddressClass {
  if (isIPv6(address)) {
    return IPV6_CLASSES.find(({ range }) => address.match(range))?.addressClass ?? "reserved";
  }
  return IPV4_CLASSES.find(({ range }) => address.match(range))?.addressClass ?? "public";
}

function isIPv6(address: Address): address is ipaddr.IPv6 {
  return address.kind() === "ipv6";
}

import { assertEquals } from "@std/assert";
import { createClientAddress, toAddressKey } from "../../src/auth/client_address.ts";

const SOCKET = "10.0.0.9";

interface Case {
  readonly name: string;
  readonly trustProxy: number;
  /** Values of `X-Forwarded-For`, one header each. */
  readonly input: readonly string[];
  readonly expected: string;
}

const CASES: readonly Case[] = [
  { name: "of the socket", trustProxy: 0, input: [], expected: SOCKET },
  {
    name: "of the socket, whatever the client claims",
    trustProxy: 0,
    input: ["1.1.1.1"],
    expected: SOCKET,
  },
  { name: "of the socket without the header", trustProxy: 1, input: [], expected: SOCKET },
  { name: "of the socket with an empty header", trustProxy: 1, input: [""], expected: SOCKET },
  { name: "that the one proxy saw", trustProxy: 1, input: ["1.1.1.1"], expected: "1.1.1.1" },
  {
    name: "that the one proxy saw, not what the client claims",
    trustProxy: 1,
    input: ["6.6.6.6, 1.1.1.1"],
    expected: "1.1.1.1",
  },
  {
    name: "that the first of two proxies saw",
    trustProxy: 2,
    input: ["6.6.6.6, 1.1.1.1, 10.0.0.1"],
    expected: "1.1.1.1",
  },
  {
    name: "from headers of their own",
    trustProxy: 2,
    input: ["6.6.6.6", "1.1.1.1", "10.0.0.1"],
    expected: "1.1.1.1",
  },
  {
    name: "at the left when there are fewer entries",
    trustProxy: 5,
    input: ["1.1.1.1, 2.2.2.2"],
    expected: "1.1.1.1",
  },
  { name: "without spaces", trustProxy: 2, input: ["1.1.1.1,2.2.2.2"], expected: "1.1.1.1" },
  { name: "without its port", trustProxy: 1, input: ["1.2.3.4:567"], expected: "1.2.3.4" },
  { name: "of IPv6", trustProxy: 1, input: ["2001:db8::1"], expected: "2001:db8::1" },
  { name: "of IPv6 in brackets", trustProxy: 1, input: ["[::1]"], expected: "::1" },
  { name: "of IPv6 with a port", trustProxy: 1, input: ["[::1]:80"], expected: "::1" },
  ...[
    "unknown",
    "_hidden",
    "proxy.test",
    "1.2.3",
    "1",
    "0x7f.1",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.4:",
    "1.2.3.4:x",
    "1.2.3.4:567890",
    "[1.2.3.4]",
    "[::1",
    "::1]",
    "[::1]80",
    "1::2::3",
    "1.1.1.1;2.2.2.2",
    "1.1.1.1,",
    "1.1.1.1, ",
  ].map((entry) => ({
    name: `of the socket when the entry is "${entry}"`,
    trustProxy: 1,
    input: [entry],
    expected: SOCKET,
  })),
  {
    name: "of the socket when the entry of the proxy is no address, though others are",
    trustProxy: 2,
    input: ["1.1.1.1, x, 2.2.2.2"],
    expected: SOCKET,
  },
];

for (const { name, trustProxy, input, expected } of CASES) {
  Deno.test(`createClientAddress() returns the address ${name}`, () => {
    const headers = new Headers(input.map((value): [string, string] => ["x-forwarded-for", value]));
    assertEquals(createClientAddress({ trustProxy })(headers, SOCKET), expected);
  });
}

const KEYS = [
  { name: "an IPv4 address as it is", input: "1.2.3.4", expected: "1.2.3.4" },
  { name: "a mapped address as IPv4", input: "::ffff:1.2.3.4", expected: "1.2.3.4" },
  { name: "a mapped address in hexadecimal as IPv4", input: "::FFFF:102:304", expected: "1.2.3.4" },
  {
    name: "an IPv6 address as its /64",
    input: "2001:db8:1:2:3:4:5:6",
    expected: "2001:db8:1:2::/64",
  },
  {
    name: "the same /64 for its neighbour",
    input: "2001:DB8:1:2:ffff::",
    expected: "2001:db8:1:2::/64",
  },
  {
    name: "the same /64 for leading zeros",
    input: "2001:0db8:0001:0002::1",
    expected: "2001:db8:1:2::/64",
  },
  {
    name: "another /64 for another network",
    input: "2001:db8:1:3::1",
    expected: "2001:db8:1:3::/64",
  },
  { name: "loopback", input: "::1", expected: "::/64" },
  {
    name: "a link-local address without its interface",
    input: "fe80::1%eth0",
    expected: "fe80::/64",
  },
  { name: "another text as it is", input: "unix:/run/socket", expected: "unix:/run/socket" },
  { name: "an empty text as it is", input: "", expected: "" },
];

for (const { name, input, expected } of KEYS) {
  Deno.test(`toAddressKey() returns ${name}`, () => {
    assertEquals(toAddressKey(input), expected);
  });
}

import { assertEquals, assertNotEquals } from "@std/assert";
import * as fc from "fast-check";
import {
  type AddressClass,
  carriedAddress,
  classifyAddress,
  parseAddress,
} from "../../src/policy/address.ts";

const LAST = "ffff:ffff:ffff:ffff:ffff:ffff";

// Range | addresses in it, with its first and last one | class | neighbours that are public
const RANGES = `
0.0.0.0/8 | 0.0.0.0 0.255.255.255 | unspecified | 1.0.0.0
10.0.0.0/8 | 10.0.0.0 10.255.255.255 | private | 9.255.255.255 11.0.0.0
100.64.0.0/10 | 100.64.0.0 100.127.255.255 | shared | 100.63.255.255 100.128.0.0
127.0.0.0/8 | 127.0.0.0 127.0.0.1 127.255.255.255 | loopback | 126.255.255.255 128.0.0.0
168.63.129.16/32 | 168.63.129.16 | metadata | 168.63.129.15 168.63.129.17
169.254.0.0/16 | 169.254.0.0 169.254.255.255 | link-local | 169.253.255.255 169.255.0.0
172.16.0.0/12 | 172.16.0.0 172.31.255.255 | private | 172.15.255.255 172.32.0.0
192.0.0.0/24 | 192.0.0.0 192.0.0.255 | reserved | 191.255.255.255 192.0.1.0
192.0.2.0/24 | 192.0.2.0 192.0.2.255 | documentation | 192.0.1.255 192.0.3.0
192.31.196.0/24 | 192.31.196.0 192.31.196.255 | reserved | 192.31.195.255 192.31.197.0
192.52.193.0/24 | 192.52.193.0 192.52.193.255 | reserved | 192.52.192.255 192.52.194.0
192.88.99.0/24 | 192.88.99.0 192.88.99.255 | reserved | 192.88.98.255 192.88.100.0
192.168.0.0/16 | 192.168.0.0 192.168.255.255 | private | 192.167.255.255 192.169.0.0
192.175.48.0/24 | 192.175.48.0 192.175.48.255 | reserved | 192.175.47.255 192.175.49.0
198.18.0.0/15 | 198.18.0.0 198.19.255.255 | benchmarking | 198.17.255.255 198.20.0.0
198.51.100.0/24 | 198.51.100.0 198.51.100.255 | documentation | 198.51.99.255 198.51.101.0
203.0.113.0/24 | 203.0.113.0 203.0.113.255 | documentation | 203.0.112.255 203.0.114.0
224.0.0.0/4 | 224.0.0.0 239.255.255.255 | multicast | 223.255.255.255
240.0.0.0/4 | 240.0.0.0 255.255.255.254 | reserved
255.255.255.255/32 | 255.255.255.255 | broadcast
metadata services | 169.254.169.254 169.254.170.2 100.100.100.200 192.0.0.192 fd00:ec2::254 fd20:ce::254 | metadata
:: | :: | unspecified
::1 | ::1 | loopback
what is below 2000::/3 | ::2 64:ff9b:1::1 100::1 100:0:0:1::1 1fff:ffff:${LAST} | reserved | 2000::
what is above 2000::/3 | 4000:: 5f00::1 fbff:ffff:${LAST} fe00:: fe7f:ffff:${LAST} | reserved | 3fff:ffff:${LAST}
fc00::/7 | fc00:: fdff:ffff:${LAST} | private
fe80::/10 | fe80:: febf:ffff:${LAST} | link-local
fec0::/10 | fec0:: feff:ffff:${LAST} | private
ff00::/8 | ff00:: ffff:ffff:${LAST} | multicast
2001::/23 | 2001:1:: 2001:3:: 2001:1ff:${LAST} | reserved | 2000:ffff:${LAST} 2001:200::
2001:2::/48 | 2001:2:: 2001:2:0:ffff:ffff:ffff:ffff:ffff | benchmarking
2001:db8::/32 | 2001:db8:: 2001:db8:${LAST} | documentation | 2001:db7:${LAST} 2001:db9::
the first address of 2002::/16 | 2002:: | unspecified | 2001:ffff:${LAST}
the last address of 2002::/16 | 2002:ffff:${LAST} | broadcast | 2003::
2620:4f:8000::/48 | 2620:4f:8000:: 2620:4f:8000:ffff:ffff:ffff:ffff:ffff | reserved | 2620:4f:7fff:ffff:ffff:ffff:ffff:ffff 2620:4f:8001::
3fff::/20 | 3fff:: 3fff:fff:${LAST} | documentation | 3ffe:ffff:${LAST} 3fff:1000::
`.trim().split("\n").map((row) => row.split(" | "));

for (const [name, input = "", expected, outside = ""] of RANGES) {
  Deno.test(`classifyAddress() knows ${name} and its neighbours`, () => {
    for (const text of input.split(" ")) assertEquals([text, classify(text)], [text, expected]);
    for (const text of outside.split(" ").filter(Boolean)) {
      assertEquals([text, classify(text)], [text, "public"]);
    }
  });
}

const EMBEDDED = [
  { name: "a mapped loopback address", input: "::ffff:127.0.0.1", expected: "loopback" },
  { name: "a mapped address in hexadecimal", input: "::ffff:a9fe:a9fe", expected: "metadata" },
  { name: "a mapped address in full", input: "0:0:0:0:0:FFFF:0A00:0001", expected: "private" },
  { name: "a mapped public address", input: "::ffff:8.8.8.8", expected: "public" },
  { name: "a compatible private address", input: "::10.0.0.1", expected: "private" },
  { name: "a compatible loopback address", input: "::127.0.0.1", expected: "loopback" },
  { name: "a compatible public address", input: "::8.8.8.8", expected: "reserved" },
  { name: "a translated address (RFC 2765)", input: "::ffff:0:8.8.8.8", expected: "reserved" },
  { name: "NAT64 of a loopback address", input: "64:ff9b::7f00:1", expected: "loopback" },
  { name: "NAT64 of a metadata address", input: "64:ff9b::169.254.169.254", expected: "metadata" },
  { name: "NAT64 of a public address", input: "64:ff9b::8.8.8.8", expected: "public" },
  { name: "6to4 of a loopback address", input: "2002:7f00:1::", expected: "loopback" },
  { name: "6to4 of a private address", input: "2002:c0a8:101::1", expected: "private" },
  { name: "6to4 of a public address", input: "2002:808:808::1", expected: "reserved" },
  {
    name: "Teredo of a loopback address",
    input: "2001:0:808:808::80ff:fffe",
    expected: "loopback",
  },
  { name: "Teredo at the start of its range", input: "2001::", expected: "broadcast" },
  { name: "Teredo of a public address", input: "2001:0:808:808::f7f7:f7f7", expected: "reserved" },
  { name: "ISATAP of a private address", input: "2600::5efe:a00:1", expected: "private" },
  {
    name: "ISATAP of a private address, local bit set",
    input: "2600::200:5efe:10.0.0.1",
    expected: "private",
  },
  { name: "ISATAP of a public address", input: "2600::5efe:808:808", expected: "public" },
  {
    name: "ISATAP of a public address on a link",
    input: "fe80::5efe:808:808",
    expected: "link-local",
  },
  { name: "a zone index", input: "fe80::1%eth0", expected: "link-local" },
] as const;

for (const { name, input, expected } of EMBEDDED) {
  Deno.test(`classifyAddress() classifies the address that ${name} carries`, () => {
    assertEquals(classify(input), expected);
  });
}

Deno.test("carriedAddress() returns undefined for an address that carries none", () => {
  for (const text of ["8.8.8.8", "::", "::1", "2600::1", "fd00::1", "2001:1::7f00:1"]) {
    assertEquals([text, carriedAddress(parse(text))], [text, undefined]);
  }
});

Deno.test("parseAddress() returns undefined for a text that is not an address in a usual form", () => {
  const texts = ["", "x", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "256.0.0.1", "1.2.3"];
  for (
    const text of [...texts, "1.2.3.4.5", "[::1]", "::1/128", " ::1", ":::", "1::2::3", "%eth0"]
  ) {
    assertEquals([text, parseAddress(text)?.toString()], [text, undefined]);
  }
});

Deno.test("parseAddress() returns undefined for a text that would end the brackets of a URL", () => {
  for (const text of ["a]@example.com/", "::1]:80/x", "::1]#", "a@[::1", "::\n1", "::1/"]) {
    assertEquals([text, parseAddress(text)?.toString()], [text, undefined]);
  }
});

Deno.test("classifyAddress() returns the class of the IPv4 address for a mapped address", () => {
  fc.assert(fc.property(fc.ipV4(), (text) => {
    assertEquals(classify(`::ffff:${text}`), classify(text));
  }));
});

Deno.test("classifyAddress() calls no address public that carries another class of address", () => {
  const forms: ((high: string, low: string) => string)[] = [
    (high, low) => `::ffff:${high}:${low}`,
    (high, low) => `::${high}:${low}`,
    (high, low) => `64:ff9b::${high}:${low}`,
    (high, low) => `2002:${high}:${low}::1`,
    (high, low) => `2600:1:2:3:0:5efe:${high}:${low}`,
  ];
  fc.assert(fc.property(fc.ipV4(), fc.constantFrom(...forms), (text, form) => {
    fc.pre(classify(text) !== "public");
    const bytes = parse(text).toByteArray();
    assertNotEquals(classify(form(group(bytes, 0), group(bytes, 2))), "public");
  }));
});

Deno.test("classifyAddress() calls no IPv6 address outside 2000::/3 public, except mapped ones and NAT64", () => {
  const prefixes = [[], [0, 0, 0, 0], [0, 0x64, 0xff, 0x9b], [0xfc], [0xfe, 0x80], [0x40], [0x1f]];
  const tail = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(tail, fc.constantFrom(...prefixes), fc.boolean(), (tail, prefix, sparse) => {
      const bytes = [...tail].map((byte, i) => prefix[i] ?? (sparse && i < 12 ? 0 : byte));
      const address = parse(
        bytes.map((_, i) => group(bytes, i)).filter((_, i) => i % 2 === 0).join(":"),
      );
      const isNat64 = carriedAddress(address)?.reachable === true;
      fc.pre((bytes[0] ?? 0) >> 5 !== 1 && address.kind() === "ipv6" && !isNat64);
      assertNotEquals(classifyAddress(address), "public");
    }),
  );
});

function group(bytes: readonly number[], start: number): string {
  return bytes.slice(start, start + 2).map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function parse(text: string): NonNullable<ReturnType<typeof parseAddress>> {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}

function classify(text: string): AddressClass {
  return classifyAddress(parse(text));
}

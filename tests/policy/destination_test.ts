import { assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { parseAddress } from "../../src/policy/address.ts";
import {
  isLocalName,
  matchesAddress,
  matchesCarriedAddress,
  matchesName,
  matchesPort,
  parseHostRule,
  toDestination,
} from "../../src/policy/destination.ts";

const RULES = [
  { input: "public", expected: "public" },
  { input: "api.example.com", expected: "host api.example.com" },
  { input: "API.Example.COM.", expected: "host api.example.com" },
  { input: "api.example.com:8443", expected: "host api.example.com port 8443" },
  { input: "api.example.com:*", expected: "host api.example.com port *" },
  { input: "localhost:1", expected: "host localhost port 1" },
  { input: "api.example.com:65535", expected: "host api.example.com port 65535" },
  { input: "bücher.example", expected: "host xn--bcher-kva.example" },
  { input: "*.example.com", expected: "subdomains .example.com" },
  { input: "*.Example.com.:443", expected: "subdomains .example.com port 443" },
  { input: "10.1.2.3", expected: "range 10.1.2.3/32" },
  { input: "10.1.2.3:8080", expected: "range 10.1.2.3/32 port 8080" },
  { input: "10.0.0.0/8:*", expected: "range 10.0.0.0/8 port *" },
  { input: "0.0.0.0/0", expected: "range 0.0.0.0/0" },
  { input: "[::1]", expected: "range ::1/128" },
  { input: "[fd00::/8]", expected: "range fd00::/8" },
  { input: "[fd00::/8]:8080", expected: "range fd00::/8 port 8080" },
  { input: "[::ffff:10.0.0.1]", expected: "range 10.0.0.1/32" },
];

for (const { input, expected } of RULES) {
  Deno.test(`parseHostRule() reads ${input}`, () => {
    assertEquals(describe(input), expected);
    assertEquals(parseHostRule(input).text, input);
  });
}

const NO_RULES = [
  { name: "nothing", input: "|.|..|*.|[]" },
  { name: "public with a port or in capitals", input: "public:80|public:*|PUBLIC|*.public" },
  { name: "an empty label", input: ".a.com|a..com" },
  { name: "a colon with nothing before or after it", input: ":80|example.com:" },
  { name: "an invalid port", input: "a.com:0|a.com:65536|a.com:99999|a.com:http|a.com:-1" },
  { name: "a URL or a part of one", input: "http://a.com|a.com/x|user@a.com|a.com?x|a.com#x" },
  { name: "a wildcard elsewhere", input: "*|*example.com|a.*.com|*.*.com|a.com*" },
  { name: "a wildcard before an address", input: "*.10.0.0.1|*.127.1" },
  { name: "an address in an odd form", input: "127.1|2130706433|0x7f.0.0.1|0177.0.0.1|１.0.0.1" },
  { name: "a range with wrong bits", input: "10.0.0.0/33|10.0.0.0/|10.0.0.0/-1|10.0.0.0/1e1" },
  { name: "a range with two slashes", input: "10.0.0.0/8/8|[fd00::/8/8]" },
  { name: "an IPv6 range with wrong bits", input: "[fd00::/129]|[::ffff:10.0.0.0/104]" },
  { name: "an IPv6 address without its brackets", input: "::1|fd00::/8|[::1|::1]" },
  { name: "a name in brackets", input: "[example.com]" },
  { name: "blanks, controls and escapes", input: "a b|a.com |a\tb|a\u0000b|%61.com|a\\b" },
];

for (const { name, input } of NO_RULES) {
  Deno.test(`parseHostRule() refuses ${name}, and describes the forms of rules`, () => {
    for (const text of input.split("|")) {
      const start = `${JSON.stringify(text)} is not a rule; write public, or a host like`;
      assertThrows(() => parseHostRule(text), TypeError, start);
    }
  });
}

const DESTINATIONS = [
  { name: "a decimal number", input: "2130706433", expected: "address 127.0.0.1" },
  { name: "a hexadecimal number", input: "0x7f000001", expected: "address 127.0.0.1" },
  { name: "hexadecimal parts", input: "0x7f.0x0.0x0.0x1", expected: "address 127.0.0.1" },
  { name: "octal parts", input: "0177.0.0.1", expected: "address 127.0.0.1" },
  { name: "an octal number", input: "017700000001", expected: "address 127.0.0.1" },
  { name: "a short form", input: "127.1", expected: "address 127.0.0.1" },
  { name: "zero", input: "0", expected: "address 0.0.0.0" },
  { name: "full-width digits", input: "１２７.０.０.１", expected: "address 127.0.0.1" },
  { name: "circled digits", input: "①②⑦.⓪.⓪.①", expected: "address 127.0.0.1" },
  { name: "ideographic full stops", input: "127。0。0。1", expected: "address 127.0.0.1" },
  { name: "percent-encoded digits", input: "%31%32%37.0.0.1", expected: "address 127.0.0.1" },
  { name: "a dot after an address", input: "127.0.0.1.", expected: "address 127.0.0.1" },
  { name: "two dots after an address", input: "127.0.0.1..", expected: "name 127.0.0.1" },
  { name: "three dots after an address", input: "127.1...", expected: "name 127.1" },
  { name: "tabs and newlines", input: "127.0.\t0.\n1", expected: "address 127.0.0.1" },
  { name: "text before @", input: "a.test@127.0.0.1", expected: "address 127.0.0.1" },
  { name: "text after #", input: "127.0.0.1#@a.test", expected: "address 127.0.0.1" },
  { name: "text after \\", input: "127.0.0.1\\@a.test", expected: "address 127.0.0.1" },
  { name: "a mapped address", input: "[::ffff:127.0.0.1]", expected: "address 127.0.0.1" },
  { name: "a compatible address", input: "[::127.0.0.1]", expected: "address ::7f00:1" },
  { name: "an IPv6 address", input: "[FD00:EC2:0::254]", expected: "address fd00:ec2::254" },
  { name: "capitals and dots", input: "API.Example.COM..", expected: "name api.example.com" },
  { name: "a full-width name", input: "ｌｏｃａｌｈｏｓｔ.", expected: "name localhost" },
  { name: "a number that dots make a name", input: "0x7f.1..", expected: "name 0x7f.1" },
  { name: "nothing but a dot", input: ".", expected: "name " },
];

for (const { name, input, expected } of DESTINATIONS) {
  Deno.test(`toDestination() normalises ${name}`, () => {
    const { host, literal } = toDestination(new URL(`http://${input}/`));
    assertEquals(literal === undefined ? `name ${host}` : `address ${literal}`, expected);
  });
}

Deno.test("toDestination() returns the port, or that of the scheme", () => {
  const ports = ["http://a/", "https://a/", "http://a:8080/", "https://a:80/", "http://a:0/"];
  assertEquals(ports.map((url) => toDestination(new URL(url)).port), [80, 443, 8080, 80, 0]);
});

Deno.test("toDestination() returns an IPv4 address for every way to write it", () => {
  fc.assert(fc.property(fc.ipV4Extended(), (text) => {
    const { host, literal } = toDestination(new URL(`http://${text}/`));
    assertEquals([literal?.kind(), literal?.toString()], ["ipv4", host]);
  }));
});

Deno.test("isLocalName() knows names of local networks and of metadata services", () => {
  const local = [
    "localhost",
    "x.localhost",
    "printer.local",
    "a.internal",
    "x.home.arpa",
    "intranet",
    "",
  ];
  const metadata = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data.ec2.internal",
  ];
  for (const name of [...local, ...metadata]) assertEquals([name, isLocalName(name)], [name, true]);
  for (
    const name of [
      "example.com",
      "localhost.example.com",
      "notlocal.host",
      "x.locale",
      "a.metadata.goog",
    ]
  ) {
    assertEquals([name, isLocalName(name)], [name, false]);
  }
});

Deno.test("matchesName() matches the host itself, and subdomains without their apex", () => {
  const cases: [rule: string, host: string, expected: boolean][] = [
    ["example.com", "example.com", true],
    ["example.com", "a.example.com", false],
    ["*.example.com", "a.example.com", true],
    ["*.example.com", "a.b.example.com", true],
    ["*.example.com", "example.com", false],
    ["*.example.com", "badexample.com", false],
    ["*.example.com", "example.com.evil.test", false],
    ["public", "public", false],
    ["10.0.0.1", "10.0.0.1", false],
  ];
  for (const [rule, host, expected] of cases) {
    assertEquals([rule, host, matchesName(parseHostRule(rule), host)], [rule, host, expected]);
  }
});

Deno.test("matchesAddress() matches ranges of the same family, matchesCarriedAddress() carried addresses", () => {
  const cases: [rule: string, address: string, direct: boolean, carried: boolean][] = [
    ["10.0.0.0/8", "10.255.255.255", true, false],
    ["10.0.0.0/8", "11.0.0.0", false, false],
    ["10.0.0.0/8", "::ffff:10.0.0.1", true, false],
    ["10.0.0.0/8", "64:ff9b::10.0.0.1", false, true],
    ["10.0.0.0/8", "2002:a00:1::", false, true],
    ["10.0.0.0/8", "fd00::1", false, false],
    ["[fd00::/8]", "fdff::1", true, false],
    ["[fd00::/8]", "fc00::1", false, false],
    ["[::/0]", "10.0.0.1", false, false],
    ["0.0.0.0/0", "fd00::1", false, false],
    ["example.com", "10.0.0.1", false, false],
  ];
  for (const [text, addressText, direct, carried] of cases) {
    const rule = parseHostRule(text);
    const address = parseAddress(addressText);
    if (address === undefined) throw new Error(`${addressText} is no address`);
    const actual = [matchesAddress(rule, address), matchesCarriedAddress(rule, address)];
    assertEquals([text, addressText, ...actual], [text, addressText, direct, carried]);
  }
});

Deno.test("matchesPort() returns the default only for a rule without a port", () => {
  for (const otherwise of [true, false]) {
    const ports = ["a.com", "a.com:*", "a.com:80", "a.com:81"].map((rule) =>
      matchesPort(parseHostRule(rule), 80, otherwise)
    );
    assertEquals(ports, [otherwise, true, true, false]);
  }
});

function describe(text: string): string {
  const rule = parseHostRule(text);
  const place = rule.kind === "public" ? [] : [
    rule.kind === "range" ? rule.range.join("/") : rule.kind === "host" ? rule.host : rule.suffix,
  ];
  return [rule.kind, ...place, ...(rule.port === undefined ? [] : ["port", rule.port])].join(" ");
}

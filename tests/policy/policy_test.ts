import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Address, parseAddress } from "../../src/policy/address.ts";
import { parseHostRule } from "../../src/policy/destination.ts";
import { createPolicy, type Decision } from "../../src/policy/policy.ts";
import { ProxyError } from "../../src/protocol/mod.ts";

const DNS: Readonly<Record<string, readonly string[]>> = {
  "public.test": ["8.8.8.8", "2600::1"],
  "a.public.test": ["8.8.4.4"],
  "private.test": ["10.0.0.1"],
  "mixed.test": ["8.8.8.8", "10.0.0.1"],
  "xim.test": ["10.0.0.1", "8.8.8.8"],
  "ranges.test": ["10.0.0.1", "192.168.0.1"],
  "metadata.test": ["169.254.169.254"],
  "mapped.test": ["::ffff:127.0.0.1"],
  "nat64.test": ["64:ff9b::10.0.0.1"],
  "public64.test": ["64:ff9b::8.8.8.8"],
  "localhost": ["127.0.0.1", "::1"],
  "intranet": ["10.0.0.1"],
};

// Each row: name | ALLOW_HOSTS;DENY_HOSTS;URL | the reason of the denial, or `allow RULE [ADDRESSES]`. The
// allowed ports are 80 and 443.
const BEFORE_ADDRESSES = table(`
a file URL | public;;file:///etc/passwd | scheme
a data URL | public;;data:text/plain,x | scheme
a WebSocket URL | public;;ws://8.8.8.8/ | scheme
a user name | public;;http://user@8.8.8.8/ | userinfo
a password | public;;http://:secret@8.8.8.8/ | userinfo
port 0 | public,8.8.8.8:*;;http://8.8.8.8:0/ | port
another port | public;;http://8.8.8.8:8080/ | port
another port of a name | public;;https://unknown.test:22/ | port
a listed name on another port | a.test;;http://a.test:81/ | port
localhost | public;;http://localhost/ | local-name
localhost in disguise | public;;http://ｌocalhost../ | local-name
a single label | public;;http://intranet/ | local-name
no label | public;;http://./ | local-name
a metadata name | public;;http://metadata.goog/ | local-name
everything when nothing is allowed | ;;http://a.test/ | not-listed
addresses when nothing is allowed | ;;http://8.8.8.8/ | not-listed
a name that is not listed | a.test;;http://b.test/ | not-listed
the apex | *.public.test;;http://public.test/ | not-listed
a subdomain | public.test;;http://a.public.test/ | not-listed
a name beside its port | a.test:81;;http://a.test/ | not-listed
a denied name | public;a.test;http://a.test/ | deny-list
a denied name with a dot | public;a.test;http://A.test./ | deny-list
a denied subdomain | public;*.test;http://a.test/ | deny-list
a denied name though listed | a.test;a.test;http://a.test/ | deny-list
a denied port | public;a.test:80;http://a.test/ | deny-list
loopback | public;;http://127.0.0.1/ | loopback
decimal loopback | public;;http://2130706433/ | loopback
IPv6 loopback | public;;http://[::1]/ | loopback
mapped loopback | public;;http://[::ffff:7f00:1]/ | loopback
the unspecified address | public;;http://0/ | unspecified
NAT64 of loopback | public;;http://[64:ff9b::7f00:1]/ | loopback
metadata | public;;http://169.254.169.254/ | metadata
IPv6 metadata | public;;http://[fd00:ec2::254]/ | metadata
a neighbour of an address | 10.0.0.1;;http://10.0.0.2/ | private
a public neighbour | 8.8.8.8;;http://8.8.4.4/ | not-listed
what carries a range | 10.0.0.0/8;;http://[64:ff9b::a00:1]/ | private
a denied range | public;8.0.0.0/8;http://8.8.8.8/ | deny-list
a denied range in NAT64 | public;8.0.0.0/8;http://[64:ff9b::808:808]/ | deny-list
a denied range in 6to4 | [2002::/16];8.0.0.0/8;http://[2002:808:808::1]/ | deny-list
denied public addresses | 8.8.8.8;public;http://8.8.8.8/ | deny-list
nothing of a public address | public;;http://8.8.8.8/x?y | allow public
nothing of public IPv6 | public;;https://[2600::1]/ | allow public
nothing of a listed range | 10.0.0.0/8;;http://10.2.3.4/ | allow 10.0.0.0/8
nothing of a listed port | 10.0.0.1:81;;http://10.0.0.1:81/ | allow 10.0.0.1:81
nothing of any port | [::1]:*;;http://[::1]:9/ | allow [::1]:*
nothing of a port not denied | public;8.8.8.8:443;http://8.8.8.8/ | allow public
`);

for (const { name, input, expected } of BEFORE_ADDRESSES) {
  Deno.test(`createPolicy() refuses ${name}, without a lookup`, () => {
    const { decision, lookups } = decide(input);
    if (decision instanceof Promise) throw new Error("The decision needed a lookup");
    assertEquals([describe(decision), lookups], [expected, []]);
  });
}

const ON_ADDRESSES = table(`
public addresses | public;;http://public.test/ | allow public 8.8.8.8,2600::1
NAT64 of a public address | public;;https://public64.test/ | allow public 64:ff9b::808:808
a private address | public;;http://private.test/ | private
a private address last | public;;http://mixed.test/ | private
a private address first | public;;http://xim.test/ | private
a metadata address | public;;http://metadata.test/ | metadata
a mapped loopback address | public;;http://mapped.test/ | loopback
NAT64 of a private address | public;;http://nat64.test/ | private
a private address behind a listed name | private.test;;http://private.test/ | allow private.test 10.0.0.1
a private address behind a listed subdomain | *.test:*;;http://private.test:9/ | allow *.test:* 10.0.0.1
a listed local name | localhost;;http://localhost/ | allow localhost 127.0.0.1,::1
a listed single label | public,intranet;;http://intranet/ | allow intranet 10.0.0.1
a listed range | 10.0.0.0/8;;http://private.test/ | allow 10.0.0.0/8 10.0.0.1
a listed range behind a local name | 10.0.0.0/8;;http://intranet/ | allow 10.0.0.0/8 10.0.0.1
half of the addresses in a range | 127.0.0.0/8;;http://localhost/ | loopback
each address by its own rule | public,10.0.0.0/8;;http://mixed.test/ | allow 10.0.0.0/8 8.8.8.8,10.0.0.1
each address by its own range | 192.168.0.0/16,10.0.0.0/8;;http://ranges.test/ | allow 192.168.0.0/16 10.0.0.1,192.168.0.1
a second address that no rule matches | 10.0.0.0/8;;http://ranges.test/ | private
a second address that is public and not listed | 10.0.0.0/8;;http://xim.test/ | not-listed
a public name on a port of a range only | public,10.0.0.0/8:81;;http://public.test:81/ | not-listed
no address at all | public;;http://nothing.test/ | not-listed
no address behind a listed name | nothing.test;;http://nothing.test/ | not-listed
a denied address | public;8.8.8.8;http://public.test/ | deny-list
a denied second address | public;[2600::/16];http://public.test/ | deny-list
a denied address behind a listed name | *.test;10.0.0.0/8;http://private.test/ | deny-list
a denied address that is carried | nat64.test;10.0.0.0/8;http://nat64.test/ | deny-list
a denied address on its port | public;8.8.8.8:443;https://public.test/ | deny-list
a denied address on another port | public;8.8.8.8:443;http://public.test/ | allow public 8.8.8.8,2600::1
`);

for (const { name, input, expected } of ON_ADDRESSES) {
  Deno.test(`createPolicy() decides on ${name}, after one lookup`, async () => {
    const { decision, lookups } = decide(input);
    assertInstanceOf(decision, Promise);
    assertEquals([describe(await decision), lookups.length], [expected, 1]);
  });
}

Deno.test("createPolicy() never names a resolved address in a message", async () => {
  for (const { input } of ON_ADDRESSES) {
    const decision = await decide(input).decision;
    if (decision.allow) continue;
    for (const address of Object.values(DNS).flat()) {
      assertEquals([decision.message, decision.message.includes(address)], [
        decision.message,
        false,
      ]);
    }
  }
});

Deno.test("createPolicy() returns no promise when the resolver returns none", () => {
  const resolver = { resolve: () => toAddresses(["8.8.8.8"]) };
  const decision = createPolicy(toOptions("public", ""), { resolver }).decide(
    new URL("http://a.test/"),
  );
  assertEquals(decision, { allow: true, reason: "public", addresses: ["8.8.8.8"] });
});

Deno.test("createPolicy() throws the error of the resolver", async () => {
  const resolver = { resolve: () => Promise.reject(new ProxyError("dns_error", "no such name")) };
  const policy = createPolicy(toOptions("public", ""), { resolver });
  await assertRejects(
    async () => await policy.decide(new URL("http://a.test/")),
    ProxyError,
    "no such",
  );
});

Deno.test("createPolicy() names the ports that are allowed, and the class that is not", async () => {
  const messages = [
    await decide("public;;http://8.8.8.8:8080/").decision,
    await decide("public;;http://private.test/").decision,
  ].map((decision) => decision.allow ? "" : `${decision.code}: ${decision.message}`);
  assertEquals(messages, [
    "http_request_denied: Port 8080 is not one that this service connects to; allowed: 80, 443",
    'destination_ip_prohibited: The destination has an address of the class "private", which this ' +
    "service does not connect to; its operator can list it in ALLOW_HOSTS",
  ]);
});

// Each row: name | ALLOW_HOSTS;DENY_HOSTS;one URL;another URL | the decision on each. The policy is asked about
// the first URL, then about the second, then about both again.
const PAIRS = table(`
http and https of a host | a.test:443;;https://a.test/;http://a.test/ | allow a.test:443 8.8.8.8;not-listed
https and http of a host | a.test:80;;http://a.test/;https://a.test/ | allow a.test:80 8.8.8.8;not-listed
http and https of an address | 8.8.8.8:443;;https://8.8.8.8/;http://8.8.8.8/ | allow 8.8.8.8:443;not-listed
two denied schemes | public;a.test:443;https://a.test/;http://a.test/ | deny-list;allow public 8.8.8.8
two ports of a host | a.test:81;;http://a.test:81/;http://a.test/ | allow a.test:81 8.8.8.8;not-listed
two hosts on a port | a.test;;http://a.test/;http://b.test/ | allow a.test 8.8.8.8;not-listed
a name and an address | a.test;;http://a.test/;http://8.8.8.8/ | allow a.test 8.8.8.8;not-listed
a user name and none | public;;http://a.test/;http://user@a.test/ | allow public 8.8.8.8;userinfo
a password and none | public;;http://a.test/;http://:secret@a.test/ | allow public 8.8.8.8;userinfo
HTTP and another scheme | public;;http://a.test/;ftp://a.test/ | allow public 8.8.8.8;scheme
`);

for (const { name, input, expected } of PAIRS) {
  Deno.test(`decide() tells ${name} apart, whichever it is asked about first`, () => {
    const [allow = "", deny = "", ...urls] = input.split(";");
    const decisions = expected.split(";");
    const resolver = { resolve: () => toAddresses(["8.8.8.8"]) };
    for (const order of [[0, 1, 0, 1], [1, 0, 1, 0]]) {
      const policy = createPolicy(toOptions(allow, deny), { resolver });
      for (const index of order) {
        const decision = policy.decide(new URL(urls[index] ?? ""));
        if (decision instanceof Promise) throw new Error("The decision needed a lookup");
        assertEquals(describe(decision), decisions[index]);
      }
    }
  });
}

Deno.test("decide() judges a name again whenever its addresses are new", async () => {
  const answers = [["8.8.8.8"], ["10.0.0.1"], ["8.8.4.4", "10.0.0.1"], [], ["8.8.4.4"]];
  const expected = ["allow public 8.8.8.8", "private", "private", "not-listed"];
  for (const isLate of [false, true]) {
    let resolved = 0;
    const resolver = {
      resolve(): readonly Address[] | Promise<readonly Address[]> {
        const addresses = toAddresses(answers[resolved++] ?? []);
        return isLate ? Promise.resolve(addresses) : addresses;
      },
    };
    const policy = createPolicy(toOptions("public", ""), { resolver });
    const decisions: string[] = [];
    for (const _ of answers) {
      decisions.push(describe(await policy.decide(new URL("http://a.test/"))));
    }
    assertEquals(decisions, [...expected, "allow public 8.8.4.4"]);
  }
});

Deno.test("decide() remembers a limited number of hosts, and decides right on any number", () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const addresses = toAddresses(["8.8.8.8"]);
  const policy = createPolicy(toOptions("*.test,listed.invalid", "denied.test"), {
    resolver: { resolve: () => addresses },
  });
  const decide = (host: string): string => {
    const decision = policy.decide(new URL(`http://${host}/`));
    if (decision instanceof Promise) throw new Error("The decision needed a lookup");
    return describe(decision);
  };
  collect();
  const { heapUsed } = Deno.memoryUsage();
  const label = "x".repeat(50);
  for (let at = 0; at < 10_000; at++) {
    decide(`${label}.${label}.${label}.${at}.test`);
    if (at % 500 > 0) continue;
    assertEquals(decide("denied.test"), "deny-list");
    assertEquals(decide("other.invalid"), "not-listed");
    assertEquals(decide("listed.invalid"), "allow listed.invalid 8.8.8.8");
  }
  collect();
  const grown = Deno.memoryUsage().heapUsed - heapUsed;
  assert(grown < 4_000_000, `${grown} bytes are kept`);
  assertEquals(decide("a.test"), "allow *.test 8.8.8.8");
});

function table(text: string): { name: string; input: string; expected: string }[] {
  return text.trim().split("\n").map((row) => {
    const [name = "", input = "", expected = ""] = row.split(" | ");
    return { name, input, expected };
  });
}

function decide(
  input: string,
): { readonly decision: Decision | Promise<Decision>; readonly lookups: readonly string[] } {
  const [allow = "", deny = "", url = ""] = input.split(";");
  const lookups: string[] = [];
  const resolver = {
    resolve(host: string): Promise<readonly Address[]> {
      lookups.push(host);
      return Promise.resolve(toAddresses(DNS[host] ?? []));
    },
  };
  const decision = createPolicy(toOptions(allow, deny), { resolver }).decide(new URL(url));
  return { decision, lookups };
}

function toAddresses(texts: readonly string[]): readonly Address[] {
  return texts.map(parseAddress).filter((address) => address !== undefined);
}

function toOptions(allow: string, deny: string): Parameters<typeof createPolicy>[0] {
  const toRules = (text: string) => text.split(",").filter(Boolean).map(parseHostRule);
  return { allowHosts: toRules(allow), denyHosts: toRules(deny), allowPorts: [80, 443] };
}

function describe(decision: Decision): string {
  if (!decision.allow) return decision.reason;
  return ["allow", decision.reason, decision.addresses?.join() ?? ""].join(" ").trim();
}

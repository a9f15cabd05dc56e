import { assertEquals, assertFalse, assertThrows } from "@std/assert";
import { createTokenCheck, parseTokenRule, refuseSharedTokens } from "../../src/auth/token.ts";

// printf s3cr3t | sha256sum
const SECRET = "s3cr3t";
const DIGEST = "4e738ca5563c06cfd0018299933d58db1dd8bf97f6973dc99bf6cdc64b5550bd";

interface Wrong {
  readonly name: string;
  readonly input: string;
  readonly expected: string;
}

const ANONYMOUS = "The name of a token must be";

const WRONG: readonly Wrong[] = [
  { name: "nothing", input: "", expected: "A token needs a name" },
  { name: "a token without a name", input: SECRET, expected: "A token needs a name" },
  { name: "an empty name", input: `:${SECRET}`, expected: ANONYMOUS },
  { name: "a name with a space", input: `al ice:${SECRET}`, expected: ANONYMOUS },
  { name: "a name with a tab", input: `al\tice:${SECRET}`, expected: ANONYMOUS },
  { name: "a name with a comma", input: `al,ice:${SECRET}`, expected: ANONYMOUS },
  { name: "a name beyond ASCII", input: `zoë:${SECRET}`, expected: ANONYMOUS },
  { name: "a name with a line end", input: `alice\n:${SECRET}`, expected: ANONYMOUS },
  { name: "a name with DEL", input: `alice\x7f:${SECRET}`, expected: ANONYMOUS },
  { name: "a name of 256 characters", input: `${"a".repeat(256)}:${SECRET}`, expected: ANONYMOUS },
  { name: "a digest without a name", input: `sha256:${DIGEST}`, expected: 'before "sha256:"' },
  {
    name: "a digest in capitals without a name",
    input: `SHA256:${DIGEST}`,
    expected: 'before "sha',
  },
  { name: "no token", input: "alice:", expected: 'The token of "alice" must be' },
  { name: "a token with a space", input: `alice:${SECRET} x`, expected: 'The token of "alice"' },
  { name: "a token with a colon", input: `alice:${SECRET}:x`, expected: 'The token of "alice"' },
  {
    name: "a token that ends in a line end",
    input: `alice:${SECRET}\n`,
    expected: 'The token of "al',
  },
  { name: "a token beyond ASCII", input: `alice:${SECRET}é`, expected: 'The token of "alice"' },
  { name: "a token too long", input: `alice:${SECRET}${"a".repeat(8192)}`, expected: "1 to 8192" },
  { name: "another digest", input: `alice:sha512:${SECRET}`, expected: 'The token of "alice"' },
  {
    name: "a prefix in capitals",
    input: `alice:SHA256:${DIGEST}`,
    expected: 'The token of "alice"',
  },
  { name: "an empty digest", input: "alice:sha256:", expected: "64 hexadecimal digits" },
  { name: "a short digest", input: `alice:sha256:${DIGEST.slice(1)}`, expected: "64 hexadecimal" },
  { name: "a long digest", input: `alice:sha256:${DIGEST}0`, expected: "64 hexadecimal" },
  {
    name: "a digest of other letters",
    input: `alice:sha256:${"g".repeat(64)}`,
    expected: "64 hex",
  },
];

for (const { name, input, expected } of WRONG) {
  Deno.test(`parseTokenRule() refuses ${name}, and does not quote it`, () => {
    const { message } = assertThrows(() => parseTokenRule(input), TypeError, expected);
    assertFalse(message.includes(SECRET));
    assertFalse(message.includes(DIGEST.slice(1)));
  });
}

const RIGHT = [
  { name: "a token", input: `alice:${SECRET}` },
  { name: "a digest", input: `alice:sha256:${DIGEST}` },
  { name: "a digest in capitals", input: `alice:sha256:${DIGEST.toUpperCase()}` },
];

for (const { name, input } of RIGHT) {
  Deno.test(`parseTokenRule() keeps only the digest of ${name}`, () => {
    assertEquals(parseTokenRule(input), { name: "alice", digest: Uint8Array.fromHex(DIGEST) });
  });
}

for (const name of ["a", "a".repeat(255), "alice@example.com", "!+-9;~[]", "sha256-alice"]) {
  Deno.test(`parseTokenRule() accepts the name ${name.slice(0, 20)}`, () => {
    assertEquals(parseTokenRule(`${name}:${SECRET}`).name, name);
  });
}

const RULES = ["alice:one", "alice:two", "bob:three", `carol:sha256:${DIGEST}`].map(parseTokenRule);

const PRESENTED = [
  { name: "the first", token: "one", expected: { subject: "alice" } },
  { name: "another of the same name", token: "two", expected: { subject: "alice" } },
  { name: "one in the middle", token: "three", expected: { subject: "bob" } },
  { name: "one that is known by its digest", token: SECRET, expected: { subject: "carol" } },
  { name: "an unknown one", token: "four", expected: undefined },
  { name: "an empty one", token: "", expected: undefined },
  { name: "a part of one", token: "on", expected: undefined },
  { name: "one with more to it", token: "one ", expected: undefined },
  { name: "one in capitals", token: "ONE", expected: undefined },
  { name: "the digest itself", token: DIGEST, expected: undefined },
  { name: "the digest with its prefix", token: `sha256:${DIGEST}`, expected: undefined },
  { name: "the rule", token: "alice:one", expected: undefined },
];

for (const { name, token, expected } of PRESENTED) {
  Deno.test(`createTokenCheck() ${expected ? "accepts" : "does not know"} ${name}`, () => {
    assertEquals(createTokenCheck(RULES)(token), expected);
  });
}

Deno.test("createTokenCheck() knows no token when there are no rules", () => {
  assertEquals(createTokenCheck([])("one"), undefined);
});

Deno.test("createTokenCheck() refuses rules in which two names have the same token", () => {
  const rules = ["alice:one", `bob:${SECRET}`, `carol:sha256:${DIGEST}`].map(parseTokenRule);
  const { message } = assertThrows(() => createTokenCheck(rules), TypeError);
  assertEquals(message, '"bob" and "carol" have the same token; give each its own');
});

Deno.test("refuseSharedTokens() lets one name repeat a token", () => {
  const rules = ["alice:one", "alice:one", "alice:two"].map(parseTokenRule);
  assertEquals(refuseSharedTokens(rules), undefined);
  assertEquals(createTokenCheck(rules)("one"), { subject: "alice" });
});

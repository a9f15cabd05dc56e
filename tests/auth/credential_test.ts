import { assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import { type PresentedCredential, readCredential } from "../../src/auth/credential.ts";
import { MAX_TOKEN_LENGTH } from "../../src/protocol/mod.ts";

interface Case {
  readonly name: string;
  readonly input: readonly (readonly [name: string, value: string])[];
  /** A token, or the type of what is none. */
  readonly expected: { readonly token: string } | Exclude<PresentedCredential["type"], "token">;
}

const SECRET = "se-cr.et_~+/0==";

function encode(text: string | Uint8Array): string {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function bearer(value: string): Case["input"] {
  return [["authorization", value]];
}

function toHeaders(input: Case["input"]): Headers {
  return new Headers(input.map(([name, value]): [string, string] => [name, value]));
}

function offer(...protocols: readonly string[]): Case["input"] {
  return [["sec-websocket-protocol", protocols.join(", ")]];
}

const LONGEST = "a".repeat(MAX_TOKEN_LENGTH);

const CASES: readonly Case[] = [
  { name: "no header", input: [], expected: "none" },
  { name: "Authorization", input: bearer(`Bearer ${SECRET}`), expected: { token: SECRET } },
  { name: "the scheme in capitals", input: bearer("BEARER abc"), expected: { token: "abc" } },
  { name: "the scheme in small letters", input: bearer("bearer abc"), expected: { token: "abc" } },
  { name: "several spaces", input: bearer("Bearer   abc"), expected: { token: "abc" } },
  { name: "the longest token", input: bearer(`Bearer ${LONGEST}`), expected: { token: LONGEST } },
  { name: "a token too long", input: bearer(`Bearer ${LONGEST}a`), expected: "malformed" },
  { name: "an empty Authorization", input: bearer(""), expected: "none" },
  { name: "Basic", input: bearer("Basic YWxpY2U6c2VjcmV0"), expected: "none" },
  { name: "Digest with its commas", input: bearer('Digest realm="a", qop="b"'), expected: "none" },
  { name: "a scheme that starts alike", input: bearer("BearerX abc"), expected: "none" },
  { name: "a bare token", input: bearer("abc"), expected: "none" },
  { name: "Bearer alone", input: bearer("Bearer"), expected: "malformed" },
  { name: "Bearer and a space", input: bearer("Bearer "), expected: "malformed" },
  { name: "a tab after Bearer", input: bearer("Bearer\tabc"), expected: "malformed" },
  { name: "two tokens", input: bearer("Bearer abc def"), expected: "malformed" },
  { name: "a quoted token", input: bearer('Bearer "abc"'), expected: "malformed" },
  { name: "a token of padding alone", input: bearer("Bearer =="), expected: "malformed" },
  { name: "padding in the middle", input: bearer("Bearer a=b"), expected: "malformed" },
  { name: "a token with a colon", input: bearer("Bearer a:b"), expected: "malformed" },
  { name: "a token beyond ASCII", input: bearer("Bearer \xe9"), expected: "malformed" },
  {
    name: "Authorization twice",
    input: [...bearer("Bearer abc"), ...bearer("Bearer abc")],
    expected: "malformed",
  },
  {
    name: "Bearer, then Basic",
    input: [...bearer("Bearer abc"), ...bearer("Basic YWJj")],
    expected: "malformed",
  },
  {
    name: "Basic, then Bearer",
    input: [...bearer("Basic YWJj"), ...bearer("Bearer abc")],
    expected: "malformed",
  },
  { name: "Bearer and a comma", input: bearer("Bearer,abc"), expected: "malformed" },
  {
    name: "a subprotocol",
    input: offer("wsfetch.v1", `bearer.${encode(SECRET)}`),
    expected: { token: SECRET },
  },
  {
    name: "a subprotocol in a header of its own, first",
    input: [...offer(`bearer.${encode(SECRET)}`), ...offer("wsfetch.v1")],
    expected: { token: SECRET },
  },
  { name: "a list without spaces", input: offer("a,bearer.YWJj,b"), expected: { token: "abc" } },
  { name: "a rest of one byte", input: offer("bearer.YQ"), expected: { token: "a" } },
  { name: "a rest of two bytes", input: offer("bearer.YWI"), expected: { token: "ab" } },
  {
    name: "the longest token as a subprotocol",
    input: offer(`bearer.${encode(LONGEST)}`),
    expected: { token: LONGEST },
  },
  {
    name: "a subprotocol one character too long",
    input: offer(`bearer.${encode(`${LONGEST}a`)}`),
    expected: "malformed",
  },
  {
    name: "other subprotocols",
    input: offer("wsfetch.v1", "bearer", "x.bearer.YWJj"),
    expected: "none",
  },
  { name: "a subprotocol in capitals", input: offer("Bearer.YWJj"), expected: "none" },
  { name: "an empty subprotocol", input: offer("bearer."), expected: "malformed" },
  { name: "padding", input: offer("bearer.YQ=="), expected: "malformed" },
  { name: "padding too much", input: offer("bearer.YWJj="), expected: "malformed" },
  { name: "the other alphabet, +", input: offer("bearer.YWJ+"), expected: "malformed" },
  { name: "the other alphabet, /", input: offer("bearer.YWJ/"), expected: "malformed" },
  { name: "a space inside", input: offer("bearer.YW Jj"), expected: "malformed" },
  { name: "bits left over after one byte", input: offer("bearer.YR"), expected: "malformed" },
  { name: "bits left over after two bytes", input: offer("bearer.YWJ"), expected: "malformed" },
  { name: "a length of 1 mod 4", input: offer("bearer.YWJjZ"), expected: "malformed" },
  {
    name: "invalid UTF-8",
    input: offer(`bearer.${encode(Uint8Array.of(0x61, 0xff))}`),
    expected: "malformed",
  },
  {
    name: "a byte order mark",
    input: offer(`bearer.${encode("\ufeffabc")}`),
    expected: "malformed",
  },
  { name: "a space in the token", input: offer(`bearer.${encode("a b")}`), expected: "malformed" },
  {
    name: "a line end in the token",
    input: offer(`bearer.${encode("ab\n")}`),
    expected: "malformed",
  },
  {
    name: "a token of other letters",
    input: offer(`bearer.${encode("é")}`),
    expected: "malformed",
  },
  {
    name: "two bearer subprotocols",
    input: offer("bearer.YWJj", "bearer.YWI"),
    expected: "malformed",
  },
  { name: "the same one twice", input: offer("bearer.YWJj", "bearer.YWJj"), expected: "malformed" },
  {
    name: "both carriers",
    input: [...bearer("Bearer abc"), ...offer("bearer.YWJj")],
    expected: "malformed",
  },
  {
    name: "both carriers, the first malformed",
    input: [...bearer("Bearer"), ...offer("bearer.YWJj")],
    expected: "malformed",
  },
  {
    name: "another scheme and a subprotocol",
    input: [...bearer("Basic YWJj"), ...offer("bearer.YWJj")],
    expected: { token: "abc" },
  },
];

for (const { name, input, expected } of CASES) {
  Deno.test(`readCredential() reads ${name} as ${typeof expected === "string" ? expected : "a token"}`, () => {
    const found = readCredential(toHeaders(input));
    if (typeof expected === "string") assertEquals(found.type, expected);
    else assertEquals(found, { type: "token", token: expected.token });
  });
}

Deno.test("readCredential() does not quote a malformed credential", () => {
  for (const input of [bearer("Bearer s3cr3t:x"), offer("bearer.czNjcjN0Og", "wsfetch.v1")]) {
    const found = readCredential(toHeaders(input));
    assertEquals(found.type, "malformed");
    assertFalse(/s3cr3t|czNjcjN0Og/.test(JSON.stringify(found)));
  }
});

Deno.test("readCredential() accepts one encoding of a token only", () => {
  fc.assert(fc.property(fc.stringMatching(/^[\w-]{1,24}$/), (encoded) => {
    const found = readCredential(toHeaders(offer(`bearer.${encoded}`)));
    if (found.type === "token") assertEquals(encode(found.token), encoded);
    else assertEquals(found.type, "malformed");
  }));
});

Deno.test("readCredential() reads the same token from both carriers", () => {
  fc.assert(fc.property(fc.stringMatching(/^[\w\-.~+/]{1,40}={0,3}$/), (token) => {
    assertEquals(readCredential(new Headers({ authorization: `Bearer ${token}` })), {
      type: "token",
      token,
    });
    const protocol = `wsfetch.v1, bearer.${encode(token)}`;
    assertEquals(readCredential(new Headers({ "sec-websocket-protocol": protocol })), {
      type: "token",
      token,
    });
  }));
});

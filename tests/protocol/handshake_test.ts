import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  decodeBearerProtocol,
  encodeBearerProtocol,
  isBearerToken,
  MAX_TOKEN_LENGTH,
} from "../../src/protocol/mod.ts";

const LONGEST = "a".repeat(MAX_TOKEN_LENGTH);

const TOKENS: readonly { name: string; token: string; protocol: string }[] = [
  { name: "a token of one character", token: "a", protocol: "bearer.YQ" },
  { name: "a token of two characters", token: "ab", protocol: "bearer.YWI" },
  { name: "a token of three characters", token: "abc", protocol: "bearer.YWJj" },
  { name: "every kind of character", token: "aZ09-._~+/==", protocol: "bearer.YVowOS0uX34rLz09" },
  { name: "the character - of base64url", token: "/~>", protocol: "bearer.L34-" },
];

for (const { name, token, protocol } of TOKENS) {
  Deno.test(`encodeBearerProtocol() encodes ${name}`, () => {
    assertEquals(encodeBearerProtocol(token), protocol);
  });
}

Deno.test("encodeBearerProtocol() encodes other texts in UTF-8, which a server refuses", () => {
  assertEquals(encodeBearerProtocol("é~/?"), "bearer.w6l-Lz8");
  assertEquals(decodeBearerProtocol("bearer.w6l-Lz8"), undefined);
});

const tokens = fc.stringMatching(/^[\w\-.~+/]{1,60}={0,3}$/);

Deno.test("decodeBearerProtocol() returns every token that encodeBearerProtocol() has encoded", () => {
  const all = fc.oneof(tokens, fc.constant(LONGEST));
  fc.assert(fc.property(all, (token) => {
    assertEquals(decodeBearerProtocol(encodeBearerProtocol(token)), token);
  }));
});

Deno.test("decodeBearerProtocol() accepts only what encodeBearerProtocol() returns", () => {
  const changed = fc.tuple(tokens, fc.nat(), fc.constantFrom("", "=", "A", "B", "_", "+", " ", "."))
    .map(([token, at, insert]) => {
      const protocol = encodeBearerProtocol(token);
      const start = at % protocol.length;
      return protocol.slice(0, start) + insert + protocol.slice(start + 1);
    });
  const protocols = fc.oneof(
    fc.stringMatching(/^bearer\.[\w-]{1,24}$/),
    fc.string({ unit: "binary" }).map((text) => `bearer.${text}`),
    tokens.map(encodeBearerProtocol),
    changed,
    fc.string(),
  );
  let accepted = 0;
  fc.assert(
    fc.property(protocols, (protocol) => {
      const token = decodeBearerProtocol(protocol);
      if (token === undefined) return;
      accepted++;
      assertEquals([encodeBearerProtocol(token), isBearerToken(token)], [protocol, true]);
    }),
    { numRuns: 2000 },
  );
  assertEquals(accepted > 200, true);
});

const REFUSED: readonly { name: string; protocol: string }[] = [
  { name: "an empty text", protocol: "" },
  { name: "another subprotocol", protocol: "wsfetch.v1" },
  { name: "the prefix in upper case", protocol: "Bearer.YWJj" },
  { name: "the prefix alone", protocol: "bearer." },
  { name: "padding", protocol: "bearer.YQ==" },
  { name: "the alphabet of base64", protocol: "bearer.L34+" },
  { name: "a blank", protocol: "bearer.YW Jj" },
  { name: "unused bits that are not 0", protocol: "bearer.YR" },
  { name: "a length of 1 mod 4", protocol: "bearer.YWJjZ" },
  { name: "bytes that are not UTF-8", protocol: "bearer.Yf8" },
  { name: "a token with a space", protocol: encodeBearerProtocol("a b") },
  { name: "a token with padding in the middle", protocol: encodeBearerProtocol("a=b") },
  { name: "a token that is too long", protocol: encodeBearerProtocol(`${LONGEST}a`) },
];

for (const { name, protocol } of REFUSED) {
  Deno.test(`decodeBearerProtocol() refuses ${name}`, () => {
    assertEquals(decodeBearerProtocol(protocol), undefined);
  });
}

Deno.test("isBearerToken() accepts b64token of at most MAX_TOKEN_LENGTH characters", () => {
  for (const token of ["a", "se-cr.et_~+/0==", LONGEST]) assertEquals(isBearerToken(token), true);
  for (const token of ["", "=", "a=b", "a b", "a\n", "é", `${LONGEST}a`]) {
    assertEquals(isBearerToken(token), false);
  }
});

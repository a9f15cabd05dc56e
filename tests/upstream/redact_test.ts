import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { createRedactor } from "../../src/upstream/redact.ts";

const SECRET = 'p/w? "1\u00e9\\';

/** Returns a text without the secrets. */
function redact(text: string, ...secrets: readonly string[]): string | undefined {
  return createRedactor(secrets)?.(text);
}

const TEXTS = [
  { name: "the secret", text: SECRET },
  { name: "it percent-encoded", text: encodeURIComponent(SECRET) },
  { name: "it percent-encoded in small letters", text: encodeURIComponent(SECRET).toLowerCase() },
  { name: "it as a form encodes it", text: encodeURIComponent(SECRET).replace("%20", "+") },
  { name: "it in JSON", text: JSON.stringify(SECRET).slice(1, -1) },
  { name: "it in JSON with escaped slashes", text: String.raw`p\/w? \"1é\\` },
  { name: "it in JSON of ASCII", text: String.raw`p/w? \"1\u00e9\\` },
  { name: "it in JSON of ASCII, in capitals", text: String.raw`p/w? \"1\u00E9\\` },
  { name: "it in base64", text: "cC93PyAiMcOpXA==" },
  { name: "it in base64 without padding", text: "cC93PyAiMcOpXA" },
];

for (const { name, text } of TEXTS) {
  Deno.test(`createRedactor() removes ${name} anywhere in a text`, () => {
    assertEquals(redact(text, SECRET), "[redacted]");
    assertEquals(
      redact(`<${text}${text}> ${text}\n`, "other", SECRET, "another"),
      [
        "<[redacted][redacted]> [redacted]\n",
      ].join(),
    );
  });
}

Deno.test("createRedactor() removes secrets in base64 and base64url", () => {
  const secret = "\u00fb\u00ff\u00fe~~~???";
  const bytes = new TextEncoder().encode(secret);
  const [base64, base64url] = [bytes.toBase64(), bytes.toBase64({ alphabet: "base64url" })];
  assert(base64 !== base64url);
  assertEquals(redact(`${base64} ${base64url}`, secret), "[redacted] [redacted]");
});

Deno.test("createRedactor() escapes the special characters of a RegExp", () => {
  for (const secret of ["a.*b", "(a+)+$", "[a-z]{4}", "a|b|c", "^abc$", "a\\dbc", "$&$1$$"]) {
    assertEquals(redact(`<${secret}> aXXb abcd a1bc`, secret), "<[redacted]> aXXb abcd a1bc");
  }
});

Deno.test("createRedactor() removes the longest of secrets that start alike", () => {
  for (const secrets of [["abcd", "abcdef"], ["abcdef", "abcd"]]) {
    assertEquals(redact("abcdef abcde", ...secrets), "[redacted] [redacted]e");
  }
  assertEquals(redact("x: Bearer abcdef", "abcdef", "Bearer abcdef"), "x: [redacted]");
});

Deno.test("createRedactor() removes short secrets only if they are the whole text", () => {
  assertEquals(redact("abc", "abc"), "[redacted]");
  assertEquals(redact("abc abcd", "abc"), "abc abcd");
  assertEquals(redact("abc abcd", "abc", "abcd"), "abc [redacted]");
  assertEquals(redact("abc", "abc", "abcd"), "[redacted]");
});

Deno.test("createRedactor() is case-sensitive, and does not change other texts", () => {
  const text = "ABCD abc d [redacted]";
  assertStrictEquals(redact(text, "abcd"), text);
  assertEquals(redact("", "abcd"), "");
});

Deno.test("createRedactor() returns undefined if there are no secrets", () => {
  assertStrictEquals(createRedactor([]), undefined);
  assertStrictEquals(createRedactor([""]), undefined);
});

Deno.test("createRedactor() removes a secret with a lone surrogate", () => {
  assertEquals(redact("x\ud800abc!", "\ud800abc"), "x[redacted]!");
});

Deno.test("createRedactor() leaves no part of any secret in any text", () => {
  const around = fc.string({ unit: "binary", maxLength: 20 });
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 4 }), around, around, (secret, a, b) => {
      const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
      for (const form of forms) {
        const redacted = redact(`${a}${form}${b}`, secret) ?? "";
        const parts = redacted.split("[redacted]");
        assert(parts.length > 1 && !parts.some((part) => part.includes(form)));
      }
    }),
  );
});

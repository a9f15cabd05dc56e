import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  collectSecrets,
  interpolate,
  parseHeaders,
  type UpstreamSources,
} from "../../src/upstream/secrets.ts";

const VARIABLES: Readonly<Record<string, string>> = {
  TOKEN: "s3cret",
  _2: "two",
  EMPTY: "",
  ODD: "a ${env:TOKEN} $& b",
  LINES: "a\nb",
  BEYOND: "\u0101",
  BLANK: " \t",
};
const FILES: Readonly<Record<string, string>> = {
  "/run/secrets/key": "k3y\n",
  "/run/my secret:1": "k3y \r\n\r\n",
  "/run/two lines": "a\nb\n",
  "/run/empty": "\n",
};
const SOURCES: UpstreamSources = {
  env(name): string | undefined {
    if (name === "DENIED") throw new Deno.errors.NotCapable("s3cret");
    return VARIABLES[name];
  },
  readText(path): string {
    const text = FILES[path];
    if (text === undefined) throw new Deno.errors.NotFound("s3cret");
    return text;
  },
};

const VALUES = [
  { name: "a plain value", input: "abc", value: "abc", secrets: [] },
  { name: "a lone $", input: "a$b$$c $x}", value: "a$b$$c $x}", secrets: [] },
  { name: "a variable", input: "Bearer ${env:TOKEN}", value: "Bearer s3cret", secrets: ["s3cret"] },
  { name: "an odd variable", input: "${env:_2}", value: "two", secrets: ["two"] },
  { name: "a $ before it", input: "$${env:_2}$", value: "$two$", secrets: ["two"] },
  {
    name: "two references",
    input: "${env:_2}:${file:/run/secrets/key}",
    value: "two:k3y",
    secrets: ["two", "k3y"],
  },
  {
    name: "a file, without the line ends behind it only",
    input: "${file:/run/my secret:1}",
    value: "k3y ",
    secrets: ["k3y "],
  },
  {
    name: "what a reference stands for, as it is",
    input: "${env:ODD}",
    value: "a ${env:TOKEN} $& b",
    secrets: ["a ${env:TOKEN} $& b"],
  },
];

for (const { name, input, value, secrets } of VALUES) {
  Deno.test(`interpolate() returns ${name}`, () => {
    assertEquals(interpolate(input, SOURCES), { value, secrets });
  });
}

const NO_REFERENCE = 'has a "${" that starts neither ${env:NAME} nor ${file:/path}';
const UNUSABLE = [
  { input: "${env:GONE}", message: "needs the environment variable GONE, which is not set" },
  { input: "${env:EMPTY}", message: "needs the environment variable EMPTY, which is empty" },
  {
    input: "${env:DENIED}",
    message: "needs the environment variable DENIED, which cannot be read",
  },
  { input: "${file:/gone}", message: 'needs the file "/gone", which cannot be read' },
  { input: "${file:/run/empty}", message: 'needs the file "/run/empty", which is empty' },
  { input: "${file:relative}", message: NO_REFERENCE },
  { input: "${env:}", message: NO_REFERENCE },
  { input: "${env:1}", message: NO_REFERENCE },
  { input: "${env:A-B}", message: NO_REFERENCE },
  { input: "${env: TOKEN}", message: NO_REFERENCE },
  { input: "${TOKEN}", message: NO_REFERENCE },
  { input: "${}", message: NO_REFERENCE },
  { input: "p4ss${word", message: NO_REFERENCE },
  { input: "${env:TOKEN", message: NO_REFERENCE },
  { input: "${env:TOKEN} ${", message: NO_REFERENCE },
  { input: "${env:${env:TOKEN}}", message: NO_REFERENCE },
];

for (const { input, message } of UNUSABLE) {
  Deno.test(`interpolate() refuses ${input}`, () => {
    const error = assertThrows(() => interpolate(input, SOURCES), TypeError);
    assertEquals(error.message, message);
  });
}

const FIELDS = [
  { name: "authorization", value: "abcdef", expected: ["abcdef"] },
  { name: "authorization", value: "Bearer abcdef", expected: ["Bearer abcdef", "abcdef"] },
  { name: "authorization", value: "token \t a b", expected: ["token \t a b", "a b"] },
  { name: "x-key", value: "a=b c", expected: ["a=b c"] },
  {
    name: "authorization",
    value: `Basic ${btoa("user:pass:word")}`,
    expected: [
      "Basic dXNlcjpwYXNzOndvcmQ=",
      "dXNlcjpwYXNzOndvcmQ=",
      "user:pass:word",
      "pass:word",
    ],
  },
  {
    name: "authorization",
    value: "basic dTpww6k=",
    expected: ["basic dTpww6k=", "dTpww6k=", "u:p\u00e9", "p\u00e9"],
  },
  {
    name: "authorization",
    value: `Basic ${btoa("u:p\u00e9")}`,
    expected: ["Basic dTpw6Q==", "dTpw6Q==", "u:p\u00e9", "p\u00e9"],
  },
  { name: "authorization", value: "Basic !", expected: ["Basic !", "!"] },
  { name: "authorization", value: "Basic dTo=", expected: ["Basic dTo=", "dTo=", "u:"] },
  ...[
    "accept",
    "accept-language",
    "content-type",
    "user-agent",
    "cache-control",
    "origin",
    "referer",
    "prefer",
    "x-github-api-version",
    "version",
  ].map((name) => ({ name, value: "two words", expected: [] })),
  ...["x-accept", "acceptx", "x-api-key", "cookie", "conversion"].map((name) => (
    { name, value: "value", expected: ["value"] }
  )),
];

for (const { name, value, expected } of FIELDS) {
  Deno.test(`collectSecrets() returns ${expected.length} secrets of "${name}: ${value}"`, () => {
    assertEquals(collectSecrets(name, { value, secrets: [] }), expected);
  });
}

Deno.test("collectSecrets() returns the values of references in every field", () => {
  const field = interpolate("agent ${env:TOKEN}/${env:_2}", SOURCES);
  assertEquals(collectSecrets("user-agent", field), [
    "s3cret",
    "two",
    "agent s3cret/two",
    "s3cret/two",
  ]);
  assertEquals(collectSecrets("x-key", interpolate("${env:TOKEN}", SOURCES)), ["s3cret"]);
});

Deno.test("parseHeaders() returns fields with names in lower case, trimmed, and all their secrets", () => {
  const value = {
    Authorization: " Bearer ${env:TOKEN}\t",
    "X-Key": "${env:TOKEN}",
    Accept: "text/html, */*",
    "x-latin": "\u00e9\tx",
  };
  assertEquals(parseHeaders(value, SOURCES), {
    headers: [
      ["authorization", "Bearer s3cret"],
      ["x-key", "s3cret"],
      ["accept", "text/html, */*"],
      ["x-latin", "\u00e9\tx"],
    ],
    secrets: ["s3cret", "Bearer s3cret", "\u00e9\tx"],
    problems: [],
  });
});

const DECIDED = "cannot be set: the HTTP client sets it";
const PROBLEMS = [
  ...[
    "Host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "keep-alive",
    "expect",
    "proxy-authorization",
    "Sec-WebSocket-Key",
  ].map((name) => ({ name, value: "x", message: DECIDED })),
  { name: "", value: "x", message: "is not the name of a header field" },
  { name: "a b", value: "x", message: "is not the name of a header field" },
  { name: "x:", value: "x", message: "is not the name of a header field" },
  { name: "x\r\n", value: "x", message: "is not the name of a header field" },
  { name: "\u00e9", value: "x", message: "is not the name of a header field" },
  { name: "x", value: 1, message: "must be a string" },
  { name: "x", value: null, message: "must be a string" },
  { name: "x", value: "", message: "must not be empty" },
  { name: "x", value: " ", message: "must not be empty" },
  { name: "x", value: "${env:BLANK}", message: "must not be empty" },
  ...["a\r\nb", "a\0", "\x7f", "\u0100", "${env:LINES}", "${env:BEYOND}", "${file:/run/two lines}"]
    .map(
      (value) => (
        {
          name: "x",
          value,
          message: "must not contain control characters, nor characters above U+00FF",
        }
      ),
    ),
  {
    name: "x",
    value: "${env:GONE}",
    message: "needs the environment variable GONE, which is not set",
  },
];

for (const { name, value, message } of PROBLEMS) {
  Deno.test(`parseHeaders() refuses ${JSON.stringify({ [name]: value })}`, () => {
    const { problems } = parseHeaders({ a: "b", [name]: value }, SOURCES);
    assertEquals(problems, [{ path: [name.toLowerCase()], message }]);
  });
}

Deno.test("parseHeaders() refuses a name that is given in two spellings", () => {
  const { problems } = parseHeaders({ "x-a": "\0", "X-A": "2" }, SOURCES);
  assertEquals(problems.map(({ message }) => message)[1], "is given twice");
});

for (const value of [null, [], "x", 1, true]) {
  Deno.test(`parseHeaders() refuses ${JSON.stringify(value)}`, () => {
    assertEquals(parseHeaders(value, SOURCES).problems, [
      { path: [], message: "must be an object" },
    ]);
  });
}

Deno.test("parseHeaders() treats __proto__ like any other name", () => {
  const { headers } = parseHeaders(JSON.parse('{"__proto__": "v4lue"}'), SOURCES);
  assertEquals(headers, [["__proto__", "v4lue"]]);
  assert(!("v4lue" in {}));
});

import { assertEquals } from "@std/assert";
import {
  findField,
  hasConnectionAuthentication,
  isFieldValue,
  isRequestableMethod,
  isToken,
  NULL_BODY_STATUS,
  REDIRECT_STATUS,
  splitList,
  toComparableName,
  trimOws,
} from "../../src/http/grammar.ts";

/** Returns the characters from U+0000 to U+017F for which a text is valid. */
function charactersOf(isValid: (text: string) => boolean): string {
  return Array.from({ length: 0x180 }, (_, code) => String.fromCharCode(code))
    .filter((character) => isValid(`a${character}a`)).join("");
}

/** Returns the characters of a range. */
function range(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, at) => String.fromCharCode(from + at)).join("");
}

Deno.test("isToken() accepts the characters of a token, and no empty text", () => {
  const expected = "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
  assertEquals(charactersOf(isToken), expected);
  assertEquals(["", "a", "a\n", "\na", "a\nb"].map(isToken), [false, true, false, false, false]);
});

Deno.test("isFieldValue() accepts bytes other than control characters, and an empty text", () => {
  assertEquals(charactersOf(isFieldValue), `\t${range(0x20, 0x7e)}${range(0x80, 0xff)}`);
  assertEquals(["", " ", "a\n", "\na"].map(isFieldValue), [true, true, false, false]);
});

Deno.test("isRequestableMethod() accepts tokens that fetch does not forbid", async () => {
  for (const method of ["GET", "QUERY", "X-A", "CONNECTS", "TRAC", "CONNECT", "TRACE", "TRACK"]) {
    // A refused method is an error of the Request; the others would be those of the port.
    const isAllowed = await Promise.try(() => new Request("http://a.invalid/", { method }))
      .then(() => true, () => false);
    assertEquals([method, isRequestableMethod(method)], [method, isAllowed]);
  }
  assertEquals(["", "A B", "A\n", "é"].map(isRequestableMethod), [false, false, false, false]);
});

Deno.test("NULL_BODY_STATUS and REDIRECT_STATUS have the statuses of Fetch", () => {
  const statuses = Array.from({ length: 400 }, (_, at) => at + 200);
  const bodiless = statuses.filter((status) => {
    try {
      new Response("body", { status });
      return false;
    } catch {
      return true;
    }
  });
  assertEquals(statuses.filter((status) => NULL_BODY_STATUS.has(status)), bodiless);
  const redirects = statuses.filter((status) => {
    try {
      return Response.redirect("http://a.invalid/", status).status === status;
    } catch {
      return false;
    }
  });
  assertEquals(statuses.filter((status) => REDIRECT_STATUS.has(status)), redirects);
});

Deno.test("findField() returns the first value of exactly this name", () => {
  const headers = [["xa", "0"], ["X", "1"], ["x", "2"], ["x", "3"], ["y", ""]] as const;
  assertEquals(["x", "y", "z"].map((name) => findField(headers, name)), ["2", "", undefined]);
});

const TRIMMED: readonly { name: string; input: string; start?: number; expected: string }[] = [
  { name: "spaces and tabs", input: " \t a b\t ", expected: "a b" },
  { name: "no whitespace", input: "ab", expected: "ab" },
  { name: "nothing but whitespace", input: " \t ", expected: "" },
  { name: "nothing", input: "", expected: "" },
  { name: "other whitespace, which stays", input: "\xa0a\r\n\x0b", expected: "\xa0a\r\n\x0b" },
  { name: "text from an index on", input: " a: b ", start: 3, expected: "b" },
  { name: "text from its end on", input: "a:", start: 2, expected: "" },
];

for (const { name, input, start, expected } of TRIMMED) {
  Deno.test(`trimOws() trims ${name}`, () => {
    assertEquals(trimOws(input, start), expected);
  });
}

Deno.test("splitList() returns the members without whitespace around them", () => {
  assertEquals(splitList(" a ,b\t,, \xa0c,"), ["a", "b", "", "\xa0c", ""]);
  assertEquals(splitList(""), [""]);
});

const NAMES = [
  { input: "x-api-key", expected: "x-api-key" },
  { input: "X-API-Key2", expected: "x-api-key2" },
  { input: "x_api_key", expected: "x-api-key" },
  { input: "X.Api~Key", expected: "x-api-key" },
  { input: "x--api_-key", expected: "x--api--key" },
  { input: "!#$%&'*+.^`|", expected: "------------" },
  { input: "", expected: "" },
];

for (const { input, expected } of NAMES) {
  Deno.test(`toComparableName() of "${input}" is "${expected}"`, () => {
    assertEquals(toComparableName(input), expected);
  });
}

const AUTHENTICATES: readonly { value: string; name?: string; expected: boolean }[] = [
  { value: "NTLM TlRM", expected: true },
  { value: "negotiate YII", expected: true },
  { value: "Negotiate", expected: true },
  { value: " NTLM x", expected: true },
  { value: "\tNTLM x", expected: true },
  { value: "\r\nNTLM\tx", expected: true },
  { value: ",NTLM x", expected: true },
  { value: "Basic x, negotiate y", expected: true },
  { value: "NTLM x", name: "Authorization", expected: true },
  { value: "Basic NTLM", expected: false },
  { value: "NTLMv3 x", expected: false },
  { value: "Bearer negotiate", expected: false },
  { value: "NTLM x", name: "x-authorization", expected: false },
];

for (const { value, name = "authorization", expected } of AUTHENTICATES) {
  Deno.test(`hasConnectionAuthentication() is ${expected} for ${name}: ${JSON.stringify(value)}`, () => {
    assertEquals(hasConnectionAuthentication([["x", "y"], [name, value]]), expected);
  });
}

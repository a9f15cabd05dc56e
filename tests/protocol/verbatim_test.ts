import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { sliceMember } from "../../src/protocol/verbatim.ts";

const CASES: readonly { name: string; text: string; expected: string | undefined }[] = [
  { name: "keeps a trailing zero", text: '{"json":1.0}', expected: "1.0" },
  {
    name: "keeps a large integer",
    text: '{"json":1234567890123456789}',
    expected: "1234567890123456789",
  },
  { name: "keeps a number beyond the largest", text: '{"json":1e400}', expected: "1e400" },
  { name: "keeps a negative zero", text: '{"json":-0,"a":1}', expected: "-0" },
  { name: "gives a literal before a comma", text: '{"json":true,"a":0}', expected: "true" },
  { name: "gives a literal before a blank", text: '{"json":null\n}', expected: "null\n" },
  { name: "gives an empty object", text: '{"json":{}}', expected: "{}" },
  { name: "gives an empty array", text: '{"json":[]}', expected: "[]" },
  { name: "gives an empty string", text: '{"json":""}', expected: '""' },
  { name: "keeps the order of keys", text: '{"json":{"b":1,"a":2}}', expected: '{"b":1,"a":2}' },
  {
    name: "keeps the blanks inside the value and around it",
    text: '\r\n{ \t"json"\n:\r\n [ 1 ,\t{ "a" : 2 } ] \n, "a":1 }\n',
    expected: '\r\n [ 1 ,\t{ "a" : 2 } ] \n',
  },
  {
    name: "keeps escapes as they are written",
    text: String.raw`{"json":"\u0041\/\n"}`,
    expected: String.raw`"\u0041\/\n"`,
  },
  {
    name: "sees that a quote is escaped",
    text: String.raw`{"json":"a\"b","c":1}`,
    expected: String.raw`"a\"b"`,
  },
  {
    name: "sees that the backslash before a quote is itself escaped",
    text: String.raw`{"json":"a\\","c":"\\\""}`,
    expected: String.raw`"a\\"`,
  },
  {
    name: "passes by signs in strings",
    text: String.raw`{"a":"}]{[,:\"","json":["}","]",{"k":"{\""}],"b":"}"}`,
    expected: String.raw`["}","]",{"k":"{\""}]`,
  },
  {
    name: "passes by signs in keys",
    text: String.raw`{"a:{[\"":1,"json":{"}":2}}`,
    expected: '{"}":2}',
  },
  {
    name: "keeps blanks that are none in JSON, in a string",
    text: '{"json":"\u00a0\u2028\ufeff"}',
    expected: '"\u00a0\u2028\ufeff"',
  },
  { name: "takes the last of equal names", text: '{"json":1,"json":[2]}', expected: "[2]" },
  { name: "knows an escaped key", text: String.raw`{"\u006ason":1}`, expected: "1" },
  {
    name: "takes an escaped key for an equal name",
    text: String.raw`{"json":1,"js\u006fn":2}`,
    expected: "2",
  },
  {
    name: "passes by nested objects that hold the name",
    text: '{"a":{"json":1},"json":2,"b":[{"json":3}]}',
    expected: "2",
  },
  { name: "does not find a nested name", text: '{"a":{"json":1}}', expected: undefined },
  { name: "does not find a value", text: '{"a":"json","b":["json",1]}', expected: undefined },
  {
    name: "does not find what looks like a member, in a string",
    text: String.raw`{"a":"\",\"json\":1"}`,
    expected: undefined,
  },
  { name: "does not find a longer name", text: String.raw`{"json\\":1}`, expected: undefined },
  { name: "does not find a name in another case", text: '{"JSON":1}', expected: undefined },
  { name: "finds nothing in an empty object", text: " { } ", expected: undefined },
  { name: "comes to an end in a string that has none", text: '{"json":"a', expected: '"a' },
  { name: "comes to an end in an array that has none", text: '{"json":[1', expected: "[1" },
];

for (const { name, text, expected } of CASES) {
  Deno.test(`sliceMember() ${name}`, () => {
    assertEquals(sliceMember(text, "json"), expected);
  });
}

Deno.test("sliceMember() takes names that are special to JavaScript as any other", () => {
  const text = '{"__proto__":{"a":1},"constructor":2,"":3}';
  const names = ["__proto__", "constructor", "", "toString"];
  assertEquals(names.map((name) => sliceMember(text, name)), ['{"a":1}', "2", "3", undefined]);
});

Deno.test("sliceMember() goes over long runs of signs only once", () => {
  const run = 500_000; // going back at every sign would be 10^11 steps
  const values = [
    JSON.stringify("\\".repeat(run)),
    JSON.stringify('"'.repeat(run)),
    `[${" ".repeat(run)}]`,
    "[".repeat(run) + "]".repeat(run),
  ];
  for (const value of values) {
    assert(sliceMember(`{"a":${value},"json":${value}}`, "json") === value);
  }
});

// No key holds a backslash: once V8 has seen such a key, it misreads others (nodejs/node#63785).
const NAMES = ["json", "a", "", "__proto__", "constructor", '"', "{", ":", "\u{1f600}"];
const sign = fc.oneof(
  fc.constantFrom(...'"{}[],:n/ \n\0\u00e9\u2028\u{1f600}'),
  fc.nat(0x10ffff).map((code) => String.fromCodePoint(code)).filter((sign) => sign !== "\\"),
);
const members = fc.array(
  fc.tuple(
    fc.oneof(fc.constantFrom(...NAMES), fc.string({ unit: sign })),
    fc.oneof(fc.jsonValue({ stringUnit: sign }), fc.string({ unit: fc.constantFrom(...'\\"n/') })),
  ),
  { maxLength: 6 },
);
const edits = fc.array(
  fc.record({
    at: fc.nat(),
    remove: fc.nat(2),
    insert: fc.constantFrom(...' "1{}[],:', '"a":', String.raw`\u0061`),
  }),
  { maxLength: 3 },
);

Deno.test("sliceMember() gives what JSON.parse gives, however the object is written", () => {
  const blanks = fc.infiniteStream(fc.constantFrom("", "", " ", "\n\t", "\r\n  "));
  const escapes = fc.infiniteStream(fc.boolean());
  fc.assert(fc.property(members, blanks, escapes, (entries, blanks, escapes) => {
    const style = { blank: () => take(blanks), isEscaped: () => take(escapes) };
    assertAgrees(`${style.blank()}${writeObject(entries, style)}${style.blank()}`);
  }));
});

Deno.test("sliceMember() gives what JSON.parse gives of any text that it takes", () => {
  fc.assert(
    fc.property(members, edits, (entries, edits) => {
      const style = { blank: () => "", isEscaped: () => false };
      const text = edits.reduce((text, { at, remove, insert }) => {
        const start = at % text.length;
        return text.slice(0, start) + insert + text.slice(start + remove);
      }, `${writeObject(entries, style)} `);
      if (!text.includes(String.raw`\\`) && isJsonObject(text)) assertAgrees(text);
    }),
    { numRuns: 1000 },
  );
});

function assertAgrees(text: string): void {
  const object: Record<string, unknown> = JSON.parse(text);
  for (const name of [...NAMES, ...Object.keys(object)]) {
    const slice = sliceMember(text, name);
    assertEquals(slice !== undefined, Object.hasOwn(object, name));
    if (slice !== undefined) assertEquals(JSON.parse(slice), object[name]);
  }
}

function isJsonObject(text: string): boolean {
  try {
    return /^\s*\{/.test(text) && JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
}

interface Style {
  blank(): string;
  isEscaped(): boolean;
}

function write(value: unknown, style: Style): string {
  if (typeof value === "string") return writeString(value, style);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (!Array.isArray(value)) return writeObject(Object.entries(value), style);
  const items = value.map((item) => `${style.blank()}${write(item, style)}${style.blank()}`);
  return `[${items.join(",")}]`;
}

function writeObject(entries: readonly (readonly [string, unknown])[], style: Style): string {
  const around = (text: string): string => `${style.blank()}${text}${style.blank()}`;
  const written = entries.map(([name, value]) =>
    `${around(writeString(name, style))}:${around(write(value, style))}`
  );
  return `{${around(written.join(","))}}`;
}

function writeString(text: string, { isEscaped }: Style): string {
  const units = text.split("").map((unit) =>
    isEscaped()
      ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
      : JSON.stringify(unit).slice(1, -1)
  );
  return `"${units.join("")}"`;
}

function take<T>(stream: Iterator<T>): T {
  return stream.next().value;
}

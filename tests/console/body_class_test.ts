import { assertEquals } from "@std/assert";
import { classifyBody, headerValue } from "../../src/console/body_class.ts";

const KINDS = [
  { name: "JSON", type: "application/json", text: "{}", expected: ["json", "text", "hex"] },
  {
    name: "problem details",
    type: "application/problem+json; charset=utf-8",
    text: "x",
    expected: ["json", "text", "hex"],
  },
  {
    name: "JSON with the type text/plain",
    type: "text/plain",
    text: ' {"a":1}',
    expected: ["json", "text", "hex"],
  },
  { name: "text", type: "text/plain", text: "hello", expected: ["text", "hex"] },
  { name: "a script", type: "text/javascript", text: "{ x }", expected: ["text", "hex"] },
  { name: "an SVG", type: "image/svg+xml", text: "<svg/>", expected: ["image", "text", "hex"] },
  { name: "a PNG", type: "image/png", text: "\x80\xff", expected: ["image", "hex"] },
  { name: "HTML", type: "text/html", text: "<p>", expected: ["text", "hex"] },
  { name: "bytes", type: "", text: "\xff", expected: ["hex"] },
  { name: "an empty PNG", type: "image/png", text: "", expected: ["text", "hex"] },
];
for (const { name, type, text, expected } of KINDS) {
  Deno.test(`classifyBody() shows ${name} as ${expected.join(", ")}`, () => {
    const content = Uint8Array.from(text, (character) => character.charCodeAt(0));
    assertEquals<readonly string[]>(classifyBody(type, content).views, expected);
  });
}

Deno.test("headerValue() ignores case", () => {
  assertEquals(headerValue([["Content-Type", "a"]], "content-type"), "a");
  assertEquals(headerValue([], "content-type"), "");
});

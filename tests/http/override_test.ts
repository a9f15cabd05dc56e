import { assertEquals } from "@std/assert";
import { overridingMethods } from "../../src/http/override.ts";
import type { HeaderPairs } from "../../src/protocol/mod.ts";

const CASES: readonly { name: string; input: HeaderPairs; expected: readonly string[] }[] = [
  { name: "no fields", input: [], expected: [] },
  { name: "other fields", input: [["x-http-methods", "PUT"], ["x-method", "PUT"]], expected: [] },
  { name: "a field of the same length", input: [["x-http-methoe", "PUT"]], expected: [] },
  { name: "x-http-method-override", input: [["X-HTTP-Method-Override", "PUT"]], expected: ["PUT"] },
  { name: "x-http-method", input: [["x-http-method", "MERGE"]], expected: ["MERGE"] },
  { name: "x-method-override", input: [["x-method-override", "patch"]], expected: ["PATCH"] },
  { name: "underscores", input: [["x_http_method_override", "PUT"]], expected: ["PUT"] },
  { name: "whitespace", input: [["x-http-method", "\t put "]], expected: ["PUT"] },
  { name: "an empty value", input: [["x-http-method", " "]], expected: [] },
  { name: "a list", input: [["x-http-method", "GET, PUT"]], expected: ["GET, PUT"] },
  {
    name: "several fields",
    input: [["x-http-method", "GET"], ["a", "b"], ["x-http-method", "PUT"]],
    expected: ["GET", "PUT"],
  },
];

for (const { name, input, expected } of CASES) {
  Deno.test(`overridingMethods() of ${name} is [${expected}]`, () => {
    assertEquals(overridingMethods(input), expected);
  });
}

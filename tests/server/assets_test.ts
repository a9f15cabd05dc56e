import { assert, assertEquals } from "@std/assert";
import { createAssets, toJavaScript } from "../../src/server/assets.ts";

const SOURCES = {
  "client/mod.ts": 'export { id } from "./id.ts";\nexport type { Id } from "./id.ts";\n',
  "client/id.ts":
    'import { MAX, type Max } from "../protocol/max.ts";\nexport type Id = Max;\nexport const id = MAX;\n',
  "protocol/max.ts": "export type Max = number;\nexport const MAX: Max = 7;\n",
};
const assets = createAssets(SOURCES);
const URL_OF_MOD = "http://localhost/client/mod.js";

function get(path: string, init: RequestInit = {}): Response {
  const asset = assets[path];
  if (asset === undefined) throw new Error(`Nothing is at ${path}`);
  return asset(new Request(`http://localhost${path}`, init));
}

Deno.test("createAssets() serves each module at its path, with .js", () => {
  assertEquals(Object.keys(assets), ["/client/mod.js", "/client/id.js", "/protocol/max.js"]);
});

Deno.test("createAssets() serves JavaScript that any page may import", async () => {
  const response = get("/client/id.js");
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/javascript; charset=utf-8");
  assertEquals(response.headers.get("access-control-allow-origin"), "*");
  assertEquals(response.headers.get("cross-origin-resource-policy"), "cross-origin");
  assertEquals(response.headers.get("cache-control"), "no-cache");
  const code = await response.text();
  assert(code.includes('"../protocol/max.js"') && code.includes("export const id = MAX"), code);
  assert(!code.includes("type"), code);
});

Deno.test("createAssets() answers HEAD with the headers of GET and no body", async () => {
  const head = get("/client/mod.js", { method: "HEAD" });
  assertEquals([...head.headers], [...get("/client/mod.js").headers]);
  assertEquals(await head.text(), "");
});

const TAG = get("/client/mod.js").headers.get("etag") ?? "";
const CONDITIONS: readonly { name: string; input: string; expected: number }[] = [
  { name: "its tag", input: TAG, expected: 304 },
  { name: "its tag, made weak", input: `W/${TAG}`, expected: 304 },
  { name: "its tag among others", input: `"a", ${TAG} , "b"`, expected: 304 },
  { name: "any tag", input: "*", expected: 304 },
  { name: "another tag", input: '"a"', expected: 200 },
  { name: "its tag without quotes", input: TAG.slice(1, -1), expected: 200 },
];
for (const { name, input, expected } of CONDITIONS) {
  Deno.test(`createAssets() answers If-None-Match with ${name} with ${expected}`, async () => {
    const response = get("/client/mod.js", { headers: { "if-none-match": input } });
    assertEquals([response.status, response.headers.get("etag")], [expected, TAG]);
    assertEquals(await response.text() === "", expected === 304);
  });
}

Deno.test("createAssets() gives a strong tag, and another one for other code", () => {
  assert(/^"[\w-]{43}"$/.test(TAG), TAG);
  const other = createAssets({ "client/mod.ts": "export {};" })["/client/mod.js"];
  assert(other?.(new Request(URL_OF_MOD)).headers.get("etag") !== TAG);
});

Deno.test("toJavaScript() rewrites relative imports only", () => {
  assertEquals(
    toJavaScript('import "./a.ts";\nimport x from "y.ts";\nexport * from "../b/c.ts";\n'),
    'import "./a.js";\nimport x from "y.ts";\nexport * from "../b/c.js";\n',
  );
});

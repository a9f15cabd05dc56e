import { assert, assertEquals } from "@std/assert";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { createAsset, createAssets, toJavaScript } from "../../src/server/assets.ts";

const SOURCES = {
  "client/mod.ts": 'export { id } from "./id.ts";\nexport type { Id } from "./id.ts";\n',
  "client/id.ts":
    'import { MAX, type Max } from "../protocol/max.ts";\nexport type Id = Max;\nexport const id = MAX;\n',
  "protocol/max.ts": "export type Max = number;\nexport const MAX: Max = 7;\n",
};
const assets = createAssets(SOURCES);
const URL_OF_MOD = "http://localhost/client/mod.js";

function get(path: string, init: RequestInit = {}): Promise<Response> {
  const asset = assets[path];
  if (asset === undefined) throw new Error(`Nothing is at ${path}`);
  return asset(new Request(`http://localhost${path}`, init));
}

Deno.test("createAssets() serves each module at its path, with .js", () => {
  assertEquals(Object.keys(assets), ["/client/mod.js", "/client/id.js", "/protocol/max.js"]);
});

Deno.test("createAssets() serves JavaScript that any page may import", async () => {
  const response = await get("/client/id.js");
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/javascript; charset=utf-8");
  assertEquals(response.headers.get("access-control-allow-origin"), "*");
  assertEquals(response.headers.get("cross-origin-resource-policy"), "cross-origin");
  assertEquals(response.headers.get("cache-control"), "no-cache");
  const code = await response.text();
  assert(code.includes('"../protocol/max.js"') && code.includes("export const id = MAX"), code);
  assert(!code.includes("type"), code);
});

Deno.test("createAssets() responds to HEAD with the headers of GET and no body", async () => {
  const head = await get("/client/mod.js", { method: "HEAD" });
  assertEquals([...head.headers], [...(await get("/client/mod.js")).headers]);
  assertEquals(await head.text(), "");
});

const TAG = (await get("/client/mod.js")).headers.get("etag") ?? "";
const CONDITIONS: readonly { name: string; input: string; expected: number }[] = [
  { name: "its tag", input: TAG, expected: 304 },
  { name: "its tag, made weak", input: `W/${TAG}`, expected: 304 },
  { name: "its tag among others", input: `"a", ${TAG} , "b"`, expected: 304 },
  { name: "any tag", input: "*", expected: 304 },
  { name: "another tag", input: '"a"', expected: 200 },
  { name: "its tag without quotes", input: TAG.slice(1, -1), expected: 200 },
];
for (const { name, input, expected } of CONDITIONS) {
  Deno.test(`createAssets() responds to If-None-Match with ${name} with ${expected}`, async () => {
    const response = await get("/client/mod.js", { headers: { "if-none-match": input } });
    assertEquals([response.status, response.headers.get("etag")], [expected, TAG]);
    assertEquals(await response.text() === "", expected === 304);
  });
}

Deno.test("createAssets() sends a strong tag, which differs for other code", async () => {
  assert(/^"[\w-]{22}"$/.test(TAG), TAG);
  const other = createAssets({ "client/mod.ts": "export {};" })["/client/mod.js"];
  const response = await other?.(new Request(URL_OF_MOD));
  assert(response?.headers.get("etag") !== TAG);
});

const CODINGS = [
  { accepted: "gzip, deflate, br, zstd", expected: "br" },
  { accepted: "gzip, deflate", expected: "gzip" },
  { accepted: "br;q=0, gzip;q=0.5", expected: "gzip" },
  { accepted: "deflate", expected: null },
  { accepted: "identity", expected: null },
];
for (const { accepted, expected } of CODINGS) {
  Deno.test(`createAssets() responds to "${accepted}" in the coding ${expected}`, async () => {
    const headers = { "accept-encoding": accepted };
    const response = await get("/client/id.js", { headers });
    assertEquals(response.headers.get("content-encoding"), expected);
    assertEquals(response.headers.get("vary"), "accept-encoding");
    const bytes = await response.bytes();
    assertEquals(response.headers.get("content-length"), String(bytes.byteLength));
    const decode = expected === "br"
      ? brotliDecompressSync
      : expected === "gzip"
      ? gunzipSync
      : undefined;
    const text = new TextDecoder().decode(decode?.(bytes) ?? bytes);
    assertEquals(text, await (await get("/client/id.js")).text());
    const tag = response.headers.get("etag") ?? "";
    assertEquals(tag === TAG, false);
    const again = await get("/client/id.js", { headers: { ...headers, "if-none-match": tag } });
    assertEquals([again.status, again.headers.get("etag")], [304, tag]);
  });
}

Deno.test("createAsset() reads its text once, at the first request", async () => {
  let reads = 0;
  const read = (): string => `text ${++reads}`;
  const asset = createAsset({ read, headers: { "content-type": "text/plain" } });
  assertEquals(reads, 0);
  const [first, second] = await Promise.all([1, 2].map(() => asset(new Request(URL_OF_MOD))));
  assertEquals([await first?.text(), await second?.text(), reads], ["text 1", "text 1", 1]);
});

Deno.test("toJavaScript() removes comments on lines of their own, and nothing else", () => {
  const source =
    '/** A\n * b. */\nconst a = "// no"; // yes\n  // no\n\nconst b = `/** ${a} */`;\n';
  assertEquals(toJavaScript(source), 'const a = "// no"; // yes\nconst b = `/** ${a} */`;\n');
});

Deno.test("toJavaScript() rewrites relative imports only", () => {
  assertEquals(
    toJavaScript('import "./a.ts";\nimport x from "y.ts";\nexport * from "../b/c.ts";\n'),
    'import "./a.js";\nimport x from "y.ts";\nexport * from "../b/c.js";\n',
  );
});

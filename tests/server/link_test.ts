import { assert, assertEquals, assertThrows } from "@std/assert";
import { CLIENT_SOURCES } from "../../src/client_sources.ts";
import { CONSOLE_SOURCES } from "../../src/console_sources.ts";
import { toJavaScript } from "../../src/server/assets.ts";
import { linkModules } from "../../src/server/link.ts";

function link(modules: Readonly<Record<string, string>>): string {
  return linkModules("a/main.js", (path) => {
    const code = modules[path];
    if (code === undefined) throw new TypeError(`There is no ${path}`);
    return code;
  });
}

/** Runs a script and returns what it passed to `tell`. */
function run(script: string): unknown[] {
  const told: unknown[] = [];
  new Function("tell", script)((value: unknown) => told.push(value));
  return told;
}

Deno.test("linkModules() runs every module once, after the modules that it imports", () => {
  const script = link({
    "a/main.js":
      'import { one, two as zwei } from "./b.js";\nimport { c } from "../c/d.js";\nimport "./side.js";\n' +
      "tell([one, zwei(), c]);\n",
    "a/b.js": 'import { c } from "../c/d.js";\ntell("b");\nexport const one = 1;\n' +
      "export async function three() {}\nexport function two() {\n  return c + 1;\n}\n",
    "a/side.js": 'tell("side");\n',
    "c/d.js": 'tell("d");\nexport const c = 3;\nconst one = "mine";\nexport class E {}\n',
  });
  assertEquals(run(script), ["d", "b", "side", [1, 4, 3]]);
});

Deno.test("linkModules() links modules that export what others do", () => {
  const script = link({
    "a/main.js": 'import { x, y } from "./mod.js";\ntell(x + y);\n',
    "a/mod.js": 'export { x, why as y } from "./b.js";\n',
    "a/b.js": "export const x = 1;\nexport const why = 2;\n",
  });
  assertEquals(run(script), [3]);
});

Deno.test("linkModules() supports imports that are empty without their types", () => {
  assertEquals(
    run(link({ "a/main.js": 'import {        } from "./b.js";\n', "a/b.js": 'tell("b");\n' })),
    ["b"],
  );
});

const UNKNOWN = [
  'import * as b from "./b.js";',
  'import b from "./b.js";',
  'import "npm:x";',
  "export default 1;",
  "export let a = 1;",
  "export { a };",
  'export * from "./b.js";',
  'const b = await import("./b.js");',
  "const u = import.meta.url;",
];
for (const code of UNKNOWN) {
  Deno.test(`linkModules() refuses ${code}`, () => {
    const modules = { "a/main.js": `const a = 1;\n${code}\n`, "a/b.js": "" };
    assertThrows(() => link(modules), TypeError, "cannot be linked");
  });
}

Deno.test("linkModules() refuses a cycle", () => {
  const modules = { "a/main.js": 'import "./b.js";\n', "a/b.js": 'import "./main.js";\n' };
  assertThrows(() => link(modules), TypeError, "imports itself through other modules");
});

Deno.test("linkModules() links the console, of which every module is used", () => {
  const sources: Readonly<Record<string, string>> = { ...CLIENT_SOURCES, ...CONSOLE_SOURCES };
  const read: string[] = [];
  const script = linkModules("console/main.js", (path) => {
    read.push(path);
    return toJavaScript(sources[path.replace(/js$/, "ts")] ?? "export default missing;");
  });
  new Function(script); // the script is valid
  const unused = Object.keys(CONSOLE_SOURCES).filter((path) =>
    !read.includes(path.replace(/ts$/, "js"))
  );
  assertEquals(unused, []);
  assert(read.length > 40);
});

Deno.test("CONSOLE_SOURCES lists every module of the console", async () => {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(new URL("../../src/console", import.meta.url))) {
    if (name.endsWith(".ts")) names.push(`console/${name}`);
  }
  assertEquals(Object.keys(CONSOLE_SOURCES).toSorted(), names.toSorted());
});

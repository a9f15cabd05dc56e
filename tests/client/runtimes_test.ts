/**
 * Runs the same cases in Deno, Node.js and Chromium. The latter two run the JavaScript that browsers are served.
 */
import { assertEquals } from "@std/assert";
import { chromium } from "playwright-core";
import { createClient } from "../../src/client/mod.ts";
import { toJavaScript } from "../../src/server/assets.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { startHttp } from "../helpers/upstream.ts";
import { type CaseResult, runCases } from "./cases.ts";
import { startTarget } from "./target.ts";

const ROOT = new URL("../../", import.meta.url);
const CHROMIUM = "/usr/bin/chromium";
const WS = "npm:ws@8.23.0";

/** Returns the client, the protocol and the cases as JavaScript, by path. */
async function readModules(): Promise<Map<string, string>> {
  const modules = new Map<string, string>();
  for (const folder of ["src/client", "src/protocol"]) {
    for await (const { name } of Deno.readDir(new URL(folder, ROOT))) {
      if (!name.endsWith(".ts")) continue;
      const source = await Deno.readTextFile(new URL(`${folder}/${name}`, ROOT));
      modules.set(`${folder}/${name.replace(/ts$/, "js")}`, toJavaScript(source));
    }
  }
  const cases = await Deno.readTextFile(new URL("tests/client/cases.ts", ROOT));
  modules.set("tests/client/cases.js", toJavaScript(cases));
  return modules;
}

function assertPassed(results: readonly CaseResult[]): void {
  assertEquals(results.filter(({ error }) => error !== undefined), []);
  assertEquals(results.length > 15, true);
}

Deno.test("the client works in Deno", async () => {
  await using target = startTarget();
  await using service = startService();
  assertPassed(
    await runCases({ createClient, serviceUrl: service.url, targetUrl: target.origin }),
  );
});

/** Returns the major version of the Node.js on the PATH. */
async function findNode(): Promise<number | undefined> {
  try {
    const { stdout } = await new Deno.Command("node", { args: ["--version"] }).output();
    return Number(/^v(\d+)/.exec(new TextDecoder().decode(stdout))?.[1]);
  } catch {
    return undefined;
  }
}

/** Returns the cached path of the npm package `ws`, which provides a WebSocket in Node.js 20. */
async function findWs(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-lock", WS],
    cwd: ROOT,
  }).output();
  const { npmPackages } = JSON.parse(new TextDecoder().decode(stdout));
  const [ws] = Object.values<{ localPath: string }>(npmPackages);
  return `${ws?.localPath}/wrapper.mjs`;
}

// Node.js 20 has a WebSocket only with a flag. The cases pass the class as an option.
const RUNNER = `
import { createClient } from "./src/client/mod.js";
import { runCases } from "./tests/client/cases.js";

const [serviceUrl, targetUrl, ws] = process.argv.slice(2);
const { WebSocket } = ws === "" ? globalThis : await import(ws);
delete globalThis.WebSocket;
const options = { WebSocket };
console.log(JSON.stringify(await runCases({ createClient, options, serviceUrl, targetUrl })));
`;

const node = await findNode();
const hasNode = node !== undefined && node >= 20;
// deno-lint-ignore no-console -- reports what was not tested
if (!hasNode) console.log("There is no Node.js >= 20 on the PATH: the client is not tested in it");

for (const name of ["the platform", "the npm package ws"]) {
  Deno.test({
    name: `the client works in Node.js, with the WebSocket of ${name}`,
    ignore: !hasNode,
    fn: async () => {
      await using target = startTarget();
      await using service = startService();
      const ws = name === "the platform" ? "" : await findWs();
      const folder = await Deno.makeTempDir();
      try {
        const modules = await readModules();
        modules.set("package.json", '{"type":"module"}').set("run.js", RUNNER);
        for (const [path, code] of modules) {
          const [, parent] = /^(.*)\/[^/]+$/.exec(`${folder}/${path}`) ?? [];
          await Deno.mkdir(parent ?? folder, { recursive: true });
          await Deno.writeTextFile(`${folder}/${path}`, code);
        }
        const { stdout, stderr } = await new Deno.Command("node", {
          args: ["--experimental-websocket", `${folder}/run.js`, service.url, target.origin, ws],
        }).output();
        const text = new TextDecoder().decode(stdout);
        if (text === "") throw new Error(new TextDecoder().decode(stderr));
        assertPassed(JSON.parse(text));
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

const hasChromium = await exists(CHROMIUM);
// deno-lint-ignore no-console -- reports what was not tested
if (!hasChromium) console.log(`There is no ${CHROMIUM}: the client is not tested in it`);

Deno.test({
  name: "the client works in Chromium, from the modules that the service serves to any page",
  ignore: !hasChromium,
  timeout: 180_000,
  fn: async () => {
    const cases = (await readModules()).get("tests/client/cases.js") ?? "";
    await using target = startTarget();
    await using site = startHttp(({ url }) =>
      url.endsWith(".js")
        ? new Response(cases, { headers: { "content-type": "text/javascript" } })
        : new Response("<!doctype html>", { headers: { "content-type": "text/html" } })
    );
    await using service = startService({ ...LOOPBACK, ALLOWED_ORIGINS: site.origin });
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage();
      await page.goto(site.origin);
      const script = `(async () => {
        const { createClient } = await import("${service.origin}/client/mod.js");
        const { runCases } = await import("/cases.js");
        const options = { serviceUrl: "${service.url}", targetUrl: "${target.origin}" };
        return await runCases({ createClient, ...options });
      })()`;
      assertPassed(await page.evaluate<CaseResult[]>(script));
    } finally {
      await browser.close();
    }
  },
});

/**
 * The shape of the source: who imports whom, no cycles, and one call site for each door to the outside.
 */
import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/** What each part may import of ours: values, and (`types`) types only. */
const MAY_IMPORT: Readonly<
  Record<string, { values: readonly string[]; types?: readonly string[] }>
> = {
  protocol: { values: [] },
  telemetry: { values: [] },
  limits: { values: [] },
  config: { values: ["auth", "policy"] },
  auth: { values: ["protocol"] },
  policy: { values: ["protocol"] },
  upstream: { values: ["protocol"] },
  forward: { values: ["protocol"] },
  http1: { values: ["protocol"], types: ["forward"] },
  dialect: { values: ["protocol"] },
  client: { values: ["protocol"] },
  client_sources: { values: ["client", "protocol"] },
  console: { values: ["client", "protocol"] },
  console_sources: { values: ["console"] },
  connection: {
    values: ["protocol", "dialect"],
    types: ["auth", "policy", "forward", "limits", "telemetry", "upstream"],
  },
  server: { values: ["connection", "protocol"], types: ["auth", "limits", "telemetry"] },
  app: {
    values: [
      "auth",
      "client_sources",
      "config",
      "connection",
      "console_sources",
      "deno.json",
      "dialect",
      "forward",
      "http1",
      "limits",
      "policy",
      "protocol",
      "server",
      "telemetry",
      "upstream",
    ],
  },
  service: { values: ["app", "config", "server", "upstream"] },
  workers: {
    values: ["app", "config", "deno.json", "limits", "server", "service", "telemetry", "upstream"],
  },
  main: { values: ["app", "config", "server", "service", "workers"] },
};

/** Doors to the outside, and the files that open each: one, but for fetch. */
const DOORS = [
  {
    name: "fetch",
    pattern: /\bfetch\(|globalThis\.fetch/,
    // The operator's key set, the page in a browser, and what clients ask for.
    files: ["src/auth/key_set.ts", "src/console/handshake.ts", "src/forward/fetch_transport.ts"],
  },
  { name: "TCP", pattern: /Deno\.connect\(/, files: ["src/http/h1/connect.ts"] },
  { name: "Deno.env", pattern: /Deno\.env\b/, files: ["main.ts"] },
  { name: "Deno.serve", pattern: /Deno\.serve\(/, files: ["src/server/listener.ts"] },
  { name: "Deno.exit", pattern: /Deno\.exit\(/, files: ["main.ts"] },
  {
    name: "Deno.upgradeWebSocket",
    pattern: /Deno\.upgradeWebSocket\(/,
    files: ["src/server/upgrade.ts"],
  },
  {
    name: "standard output",
    pattern: /console\.\w+\(|Deno\.std(?:out|err)/,
    files: ["main.ts", "src/telemetry/output.ts"],
  },
  { name: "threads", pattern: /new Worker\(|worker_threads/, files: ["src/workers/thread.ts"] },
  { name: "DNS", pattern: /node:dns/, files: ["src/policy/resolver.ts"] },
] as const;

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly code?: { readonly specifier: string };
    readonly type?: { readonly specifier: string };
  }[];
}

/** The paths of our source files below the root. */
async function listSources(folder = "src"): Promise<string[]> {
  const paths = folder === "src" ? ["main.ts"] : [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) paths.push(...await listSources(path));
    else if (name.endsWith(".ts")) paths.push(path);
  }
  return paths.toSorted();
}

/** What a source file imports of ours, as Deno itself sees it. */
async function importsOf(path: string): Promise<Import[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", path],
    cwd: ROOT,
    stderr: "null",
  }).output();
  const { modules }: { modules: readonly Module[] } = JSON.parse(new TextDecoder().decode(stdout));
  const self = modules.find(({ specifier }) => specifier === new URL(path, ROOT).href);
  return (self?.dependencies ?? []).flatMap(({ code, type }) => {
    const specifier = code?.specifier ?? type?.specifier ?? "";
    if (!specifier.startsWith(ROOT.href)) return [];
    return [{ from: path, to: specifier.slice(ROOT.href.length), isType: code === undefined }];
  });
}

/** The part that a file belongs to: its folder below `src`, or its own name. */
function partOf(path: string): string {
  const [first = "", second = ""] = path.replace(/^src\//, "").split("/");
  return second === "" ? first.replace(/\.ts$/, "") : first;
}

const sources = await listSources();
const imports = (await Promise.all(sources.map(importsOf))).flat();

Deno.test("imports run one way", () => {
  assert(imports.length > 50, "the imports were found");
  const wrong = imports.filter(({ from, to, isType }) => {
    const [part, target] = [partOf(from), partOf(to)];
    const allowed = MAY_IMPORT[part];
    return part !== target && !allowed?.values.includes(target) &&
      !(isType && allowed?.types?.includes(target));
  });
  assertEquals(wrong, []);
});

Deno.test("there are no cycles, not even in types", () => {
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    assert(!trail.includes(path), `a cycle: ${[...trail, path].join(" → ")}`);
    if (done.has(path)) return;
    for (const { to } of imports.filter(({ from }) => from === path)) visit(to, [...trail, path]);
    done.add(path);
  };
  for (const path of sources) visit(path, []);
  assertEquals(done.size >= sources.length, true);
});

for (const { name, pattern, files } of DOORS) {
  Deno.test(`only ${files.join(" and ")} opens the door to ${name}`, async () => {
    const users: string[] = [];
    for (const path of sources) {
      const code = await Deno.readTextFile(new URL(path, ROOT));
      const withoutComments = code.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
      if (pattern.test(withoutComments)) users.push(path);
    }
    assertEquals(users, [...files]);
  });
}

Deno.test("nothing in the protocol needs a server: no Deno, no npm, no node", async () => {
  for (const path of sources.filter((path) => path.startsWith("src/protocol/"))) {
    const code = await Deno.readTextFile(new URL(path, ROOT));
    const withoutComments = code.replace(/\/\*[\s\S]*?\*\//g, "");
    assertEquals(/\bDeno\.|from "(?!\.)/.exec(withoutComments)?.[0], undefined, path);
  }
});

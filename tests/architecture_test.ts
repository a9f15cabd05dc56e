/**
 * The shape of the source: who imports whom, no cycles, one file for each door to the outside, and each rule, text and
 * name once.
 */
import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/** Modules that nothing imports: where programs and pages begin. */
const ENTRIES = ["main.ts", "src/workers/worker.ts", "src/client/mod.ts", "src/console/main.ts"];

/** What each room may import of ours: values, and (`types`) types only. */
const MAY_IMPORT: Readonly<
  Record<string, { values: readonly string[]; types?: readonly string[] }>
> = {
  protocol: { values: [] },
  clock: { values: [] },
  config_error: { values: [] },
  telemetry: { values: ["clock"] },
  limits: { values: ["clock"] },
  turns: { values: ["clock"] },
  http: { values: ["protocol", "clock", "turns"] },
  auth: { values: ["http", "protocol", "clock"] },
  policy: { values: ["http", "protocol", "clock"] },
  upstream: {
    values: ["http", "protocol", "clock", "config_error"],
    types: ["forward"],
  },
  forward: { values: ["http", "protocol", "clock", "turns"] },
  dialect: { values: ["protocol"] },
  exchange: {
    values: ["http", "protocol", "clock"],
    types: ["forward", "limits", "policy", "upstream", "telemetry", "turns"],
  },
  connection: {
    values: ["exchange", "dialect", "protocol", "clock"],
    types: ["auth", "limits", "telemetry", "turns"],
  },
  server: {
    values: ["connection", "auth", "protocol", "clock"],
    types: ["limits", "telemetry", "turns"],
  },
  config: {
    values: ["auth", "policy", "http", "telemetry", "config_error"],
    types: ["exchange", "limits", "protocol"],
  },
  client: { values: ["protocol"] },
  client_sources: { values: ["client", "protocol"] },
  console: { values: ["client", "protocol"] },
  console_sources: { values: ["console"] },
  transports: { values: ["config", "http"], types: ["policy", "turns"] },
  service_memory: { values: ["clock", "config", "limits"], types: ["connection"] },
  open_connection: {
    values: ["config", "connection", "dialect", "exchange", "policy", "turns"],
    types: ["auth", "clock", "forward", "limits", "telemetry", "upstream"],
  },
  app: {
    values: [
      ...[
        "auth",
        "client_sources",
        "clock",
        "config",
        "connection",
        "console_sources",
        "deno.json",
      ],
      ...["dialect", "exchange", "forward", "http", "limits", "policy", "protocol", "server"],
      ...["open_connection", "service_memory", "telemetry", "transports", "turns", "upstream"],
    ],
  },
  service: { values: ["app", "clock", "config", "server", "upstream"] },
  workers: {
    values: [
      ...[
        "app",
        "clock",
        "config",
        "config_error",
        "deno.json",
        "limits",
        "server",
        "service",
        "service_memory",
        "telemetry",
      ],
      "upstream",
    ],
  },
  main: { values: ["app", "config", "config_error", "dialect", "server", "service", "workers"] },
};

/** Rooms that run in browsers, which have no clock of ours. */
const IN_BROWSERS = /^src\/(?:client|console)\//;

/** Doors to the outside, and the files that open each. */
const DOORS = [
  {
    name: "fetch",
    pattern: /\bfetch\(|globalThis\.fetch/,
    // The operator's key set, the page in a browser, and what clients ask for.
    files: ["src/auth/key_set.ts", "src/console/handshake.ts", "src/http/fetch/transport.ts"],
  },
  { name: "TCP", pattern: /Deno\.connect\(/, files: ["src/http/h1/connect.ts"] },
  { name: "DNS", pattern: /node:dns/, files: ["src/policy/resolver.ts"] },
  { name: "Deno.serve", pattern: /Deno\.serve\(/, files: ["src/server/listener.ts"] },
  {
    name: "Deno.upgradeWebSocket",
    pattern: /Deno\.upgradeWebSocket\(/,
    files: ["src/server/client_socket.ts"],
  },
  { name: "Deno.env", pattern: /Deno\.env\b/, files: ["main.ts"] },
  { name: "Deno.exit", pattern: /Deno\.exit\(/, files: ["main.ts"] },
  { name: "threads", pattern: /new Worker\(|worker_threads/, files: ["src/workers/thread.ts"] },
  {
    name: "standard output",
    pattern: /console\.\w+\(|Deno\.std(?:out|err)/,
    files: ["main.ts", "src/telemetry/output.ts"],
  },
  {
    name: "time",
    pattern:
      /\b(?:set(?:Timeout|Interval|Immediate)\(|performance\.now\(|Date\.now\b|node:timers)|new Date\(\)/,
    files: ["src/clock.ts"],
    except: IN_BROWSERS,
  },
] as const;

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

interface GraphModule {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly code?: { readonly specifier: string };
    readonly type?: { readonly specifier: string };
  }[];
}

/** Returns the paths of our source files below the root. */
async function listSources(folder = "src"): Promise<string[]> {
  const paths = folder === "src" ? ["main.ts"] : [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) paths.push(...await listSources(path));
    else if (name.endsWith(".ts")) paths.push(path);
  }
  return paths.toSorted();
}

/** Returns the modules that a module leads to, as Deno itself sees them. */
async function graphOf(entry: string): Promise<readonly GraphModule[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: ROOT,
    stderr: "null",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).modules;
}

function importsOf({ specifier, dependencies = [] }: GraphModule): readonly Import[] {
  return dependencies.flatMap(({ code, type }) => {
    const to = code?.specifier ?? type?.specifier ?? "";
    if (!to.startsWith(ROOT.href)) return [];
    return [{ from: pathOf(specifier), to: pathOf(to), isType: code === undefined }];
  });
}

function pathOf(specifier: string): string {
  return specifier.slice(ROOT.href.length);
}

/** Returns the room of a file: its folder below `src`, or its own name. */
function roomOf(path: string): string {
  const [first = "", second = ""] = path.replace(/^src\//, "").split("/");
  return second === "" ? first.replace(/\.ts$/, "") : first;
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\/|(?<![:"'`\\])\/\/.*$/gm, "");
}

/** Returns each thing that a list has more than once. */
function repeated(things: readonly string[]): readonly string[] {
  return [...new Set(things.filter((thing, index) => things.indexOf(thing) !== index))];
}

function count(pattern: RegExp): number {
  return sources.reduce((sum, { code }) => sum + [...code.matchAll(pattern)].length, 0);
}

const paths = await listSources();
const sources = await Promise.all(paths.map(async (path) => {
  const text = await Deno.readTextFile(new URL(path, ROOT));
  return { path, text, code: withoutComments(text) };
}));
const graph = new Map(
  (await Promise.all(ENTRIES.map(graphOf))).flat()
    .filter(({ specifier }) => specifier.startsWith(ROOT.href))
    .map((module) => [pathOf(module.specifier), module]),
);
const imports = [...graph.values()].flatMap(importsOf);

Deno.test("every source file is used", () => {
  assertEquals(paths.filter((path) => !graph.has(path)), []);
});

Deno.test("imports run one way", () => {
  assert(imports.length > 500, "the imports were found");
  const wrong = imports.filter(({ from, to, isType }) => {
    const [room, target] = [roomOf(from), roomOf(to)];
    const allowed = MAY_IMPORT[room];
    return room !== target && !allowed?.values.includes(target) &&
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
  for (const path of paths) visit(path, []);
  assertEquals(done.size >= paths.length, true);
});

for (const { name, pattern, files, ...door } of DOORS) {
  Deno.test(`only ${files.join(" and ")} opens the door to ${name}`, () => {
    const users = sources.filter(({ path, code }) =>
      pattern.test(code) && !("except" in door && door.except.test(path))
    );
    assertEquals(users.map(({ path }) => path), [...files]);
  });
}

Deno.test("nothing in the protocol needs a server: no Deno, no npm, no node", () => {
  for (const { path, code } of sources.filter(({ path }) => path.startsWith("src/protocol/"))) {
    assertEquals(/\bDeno\.|from "(?!\.)/.exec(code)?.[0], undefined, path);
  }
});

Deno.test("an exchange knows neither a socket nor a frame", () => {
  for (const { path, code } of sources.filter(({ path }) => path.startsWith("src/exchange/"))) {
    assertEquals(/WebSocket|dialect|Frame\b/.exec(code)?.[0], undefined, path);
  }
});

Deno.test("the grammar of tokens and field values stands in one file", () => {
  const users = sources.filter(({ code }) => /\^_`\|~0-9|\\x80-\\xff/.test(code));
  assertEquals(users.map(({ path }) => path), ["src/protocol/grammar.ts"]);
});

Deno.test("the text of an error stands in one place", () => {
  const texts = sources.flatMap(({ code }) =>
    [...code.matchAll(
      /(?:ProxyError\(\s*"\w+",\s*|message(?:: string)? =\s*|message:\s*)("[^"\n]{20,}"|`[^`\n]{20,}`)/g,
    )]
      .map(([, text = ""]) => text)
  );
  assert(texts.length > 50, "the texts were found");
  assertEquals(repeated(texts), []);
});

Deno.test("an exported name has one meaning", () => {
  const names = sources.flatMap(({ code }) =>
    [...code.matchAll(/^export (?:async )?(?:interface|type|class|function\*?|const) (\w+)/gm)]
      .map(([, name = ""]) => name)
  );
  assert(names.length > 400, "the names were found");
  assertEquals(repeated(names), []);
});

Deno.test("files, and what they need to be read, stay small", () => {
  const lines = sources.map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }));
  assertEquals(lines.filter(({ lines }) => lines > 300), [], "no file has more than 300 lines");
  const linesOf = (wanted: string) => lines.find(({ path }) => path === wanted)?.lines ?? Infinity;
  assert(linesOf("src/app.ts") <= 200, "app.ts only joins parts");
  assert(
    linesOf("src/connection/connection.ts") <= 260,
    "a connection leaves the rest to its parts",
  );
  assert(lines.filter(({ path }) => path.startsWith("src/connection/")).length <= 10);
  assert(
    count(/\binterface \w*(?:Options|Deps|Context)\b/g) <= 46,
    "interfaces that only pass things on",
  );
  assert(count(/\b(?:Pick|Omit|Extract|Exclude)</g) <= 25, "types cut out of others");
});

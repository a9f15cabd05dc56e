/**
 * Links modules into one script: a browser would ask for each of them, and the heads of so many small answers weigh
 * more than what they bring.
 *
 * @module
 */

/** What is linked. */
export interface LinkDeps {
  /** Gives the JavaScript of the module at a path, whose imports are relative and end in `.js`. */
  read(path: string): string;
}

// As `deno fmt` writes them: each begins a line.
const IMPORT = /^import\s*(?:\{([^}]*)\}\s*from\s*)?"(\.[^"]+)";\n?/gm;
const REEXPORT = /^export\s*\{([^}]*)\}\s*from\s*"(\.[^"]+)";\n?/gm;
const EXPORT = /^export\s+(?=(?:async\s+)?(?:function\*?|const|class)\s+(\w+))/gm;
const LEFT = /^(?:import|export)\b.*|\bimport\s*[.(].*/m;

interface Linked {
  /** The variable that holds what the module exports. */
  readonly name: string;
  readonly code: string;
}

/**
 * Gives a script that does what the module at `entry` does. Every module becomes a function that runs once, after
 * those that it imports, which must not lead back to it.
 *
 * @throws {TypeError} A module has an import or export of a form that is not known here, or there is a cycle.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { linkModules } from "./link.ts";
 *
 * const modules: Record<string, string> = {
 *   "a/main.js": 'import { one } from "../b.js";\nconsole.log(one);\n',
 *   "b.js": "export const one = 1;\n",
 * };
 * const script = linkModules("a/main.js", { read: (path) => modules[path] ?? "" });
 * assertStringIncludes(script, "const { one } = m0;");
 * ```
 */
export function linkModules(entry: string, { read }: LinkDeps): string {
  const linked = new Map<string, Linked | undefined>();

  function visit(path: string): Linked {
    const known = linked.get(path);
    if (known !== undefined) return known;
    if (linked.has(path)) throw new TypeError(`${path} imports itself by way of others`);
    linked.set(path, undefined);
    const exported: string[] = [];
    // Resolved as a browser does it.
    const nameOf = (relative: string): string =>
      visit(new URL(relative, `http://localhost/${path}`).pathname.slice(1)).name;
    const body = read(path)
      .replace(IMPORT, (_, names: string | undefined, from: string) => {
        const name = nameOf(from);
        const wanted = splitNames(names ?? "").map(([theirs, ours]) =>
          theirs === ours ? ours : `${theirs}: ${ours}`
        );
        return wanted.length === 0 ? "" : `const { ${wanted.join(", ")} } = ${name};\n`;
      })
      .replace(REEXPORT, (_, names: string, from: string) => {
        const name = nameOf(from);
        exported.push(...splitNames(names).map(([theirs, ours]) => `${ours}: ${name}.${theirs}`));
        return "";
      })
      .replace(EXPORT, (_, name: string) => {
        exported.push(name);
        return "";
      });
    const left = LEFT.exec(body)?.[0];
    if (left !== undefined) throw new TypeError(`${path} cannot be linked: ${left}`);
    const name = `m${[...linked.values()].filter((module) => module !== undefined).length}`;
    const code = `const ${name} = (() => {\n${body}return { ${exported.join(", ")} };\n})();\n`;
    const module = { name, code };
    // Behind its imports, where it stands in the script.
    linked.delete(path);
    linked.set(path, module);
    return module;
  }

  visit(entry);
  return [...linked.values()].map((module) => module?.code ?? "").join("");
}

/** Gives what `a, b as c` names: theirs and ours. */
function splitNames(list: string): readonly (readonly [string, string])[] {
  return list.split(",").map((item) => item.trim()).filter((item) => item !== "").map((item) => {
    const [theirs = "", ours = theirs] = item.split(/\s+as\s+/);
    return [theirs, ours];
  });
}

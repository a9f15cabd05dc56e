/**
 * Links modules into one script. A browser would request each module, and the headers of so many small responses are
 * larger than the modules.
 *
 * @module
 */

// In the form that `deno fmt` writes: each statement starts a line.
const IMPORT = /^import\s*(?:\{([^}]*)\}\s*from\s*)?"(\.[^"]+)";\n?/gm;
const REEXPORT = /^export\s*\{([^}]*)\}\s*from\s*"(\.[^"]+)";\n?/gm;
const EXPORT = /^export\s+(?=(?:async\s+)?(?:function\*?|const|class)\s+(\w+))/gm;
const LEFT = /^(?:import|export)\b.*|\bimport\s*[.(].*/m;

interface Linked {
  /** The variable of the object that has the module's exports. */
  readonly name: string;
  readonly code: string;
}

/**
 * Returns a script that is equivalent to the module at `entry`. Each module becomes a function that runs once, after
 * the modules that it imports.
 *
 * @param read Returns the JavaScript of the module at a path. Its imports are relative and end in `.js`.
 * @throws {TypeError} A module has an import or export of an unsupported form, or modules import each other.
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
 * const script = linkModules("a/main.js", (path) => modules[path] ?? "");
 * assertStringIncludes(script, "const { one } = m0;");
 * ```
 */
export function linkModules(entry: string, read: (path: string) => string): string {
  const linked = new Map<string, Linked | undefined>();

  function visit(path: string): Linked {
    const known = linked.get(path);
    if (known !== undefined) return known;
    if (linked.has(path)) throw new TypeError(`${path} imports itself through other modules`);
    linked.set(path, undefined);
    const exported: string[] = [];
    // Resolves the path as a browser does.
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
    // Moved after its imports: the order of the map is the order of the script.
    linked.delete(path);
    linked.set(path, module);
    return module;
  }

  visit(entry);
  return [...linked.values()].map((module) => module?.code ?? "").join("");
}

/** Parses the names in `a, b as c`: each as the other module has it, then as this one does. */
function splitNames(list: string): readonly (readonly [string, string])[] {
  return list.split(",").map((item) => item.trim()).filter((item) => item !== "").map((item) => {
    const [theirs = "", ours = theirs] = item.split(/\s+as\s+/);
    return [theirs, ours];
  });
}

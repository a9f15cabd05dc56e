/**
 * The console as it is served: the page, its style sheet, and the modules that they need.
 *
 * @module
 */
import { type AssetHandler, createAsset, toJavaScript, toModulePath } from "./assets.ts";

/** What the console is made of. */
export interface ConsoleParts {
  /** HTML with `<!-- modules -->` where the scripts belong. */
  readonly page: string;
  readonly style: string;
  /** TypeScript by its path below `src`: the console's own. */
  readonly sources: Readonly<Record<string, string>>;
  /** What it imports beside them; served elsewhere. */
  readonly shared: Readonly<Record<string, string>>;
}

const ENTRY = "console/main.ts";

const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  // Nothing but what this service serves; images may come out of responses.
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; " +
    "connect-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
} as const;

const SCRIPT_HEADERS = {
  "content-type": "text/javascript; charset=utf-8",
  "cross-origin-resource-policy": "same-origin",
} as const;

const STYLE_HEADERS = {
  "content-type": "text/css; charset=utf-8",
  "cross-origin-resource-policy": "same-origin",
} as const;

const IMPORTED = /(?:\bfrom\s*|\bimport\s*)"(\.{1,2}\/[^"]+)\.js"/g;

/** Creates the handlers of the console, by path. */
export function createConsoleAssets(
  { page, style, sources, shared }: ConsoleParts,
): Readonly<Record<string, AssetHandler>> {
  const modules = Object.entries(sources).map(([path, source]) =>
    [
      toModulePath(path),
      createAsset({ read: () => toJavaScript(source), headers: SCRIPT_HEADERS }),
    ] as const
  );
  return {
    "/": createAsset({
      read: () => page.replace("<!-- modules -->", toTags({ ...shared, ...sources })),
      headers: PAGE_HEADERS,
    }),
    "/console/console.css": createAsset({ read: () => style, headers: STYLE_HEADERS }),
    ...Object.fromEntries(modules),
  };
}

/** The browser is told of every module at once: it would find them one level after the other. */
function toTags(sources: Readonly<Record<string, string>>): string {
  const links = findModules(sources).filter((path) => path !== ENTRY)
    .map((path) => `<link rel="modulepreload" href="${toModulePath(path)}">`);
  return [...links, `<script type="module" src="${toModulePath(ENTRY)}"></script>`].join("\n");
}

/** Gives the paths of the modules that the entry leads to, itself among them. */
export function findModules(sources: Readonly<Record<string, string>>): readonly string[] {
  const found = new Set([ENTRY]);
  for (const path of found) {
    const code = toJavaScript(sources[path] ?? "");
    for (const [, relative] of code.matchAll(IMPORTED)) {
      // Resolved as the browser does it.
      found.add(new URL(`${relative}.ts`, `http://localhost/${path}`).pathname.slice(1));
    }
  }
  return [...found];
}

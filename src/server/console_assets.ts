/**
 * The console as it is served: the page, its style sheet and its script.
 *
 * @module
 */
import { type AssetHandler, createAsset, toJavaScript } from "./assets.ts";
import { linkModules } from "./link.ts";

/** What the console is made of. */
export interface ConsoleParts {
  readonly page: string;
  readonly style: string;
  /** TypeScript by its path below `src`: the console's own, and what it imports. */
  readonly sources: Readonly<Record<string, string>>;
}

const ENTRY = "console/main.js";

const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  // Nothing but what this service serves; images may come out of responses.
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; " +
    "connect-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
} as const;

const OWN_HEADERS = { "cross-origin-resource-policy": "same-origin" } as const;

/** Creates the handlers of the console, by path. */
export function createConsoleAssets(
  { page, style, sources }: ConsoleParts,
): Readonly<Record<string, AssetHandler>> {
  function readModule(path: string): string {
    const source = sources[path.replace(/\.js$/, ".ts")];
    if (source === undefined) throw new TypeError(`There is no module ${path} to be served`);
    return toJavaScript(source);
  }

  return {
    "/": createAsset({ read: () => page, headers: PAGE_HEADERS }),
    "/console/console.css": createAsset({
      read: () => style,
      headers: { ...OWN_HEADERS, "content-type": "text/css; charset=utf-8" },
    }),
    "/console/main.js": createAsset({
      read: () => linkModules(ENTRY, { read: readModule }),
      headers: { ...OWN_HEADERS, "content-type": "text/javascript; charset=utf-8" },
    }),
  };
}

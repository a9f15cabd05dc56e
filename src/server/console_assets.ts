/**
 * The handlers of the console: its page, its style sheet and its script.
 *
 * @module
 */
import { type AssetHandler, createAsset, toJavaScript } from "./assets.ts";
import { linkModules } from "./link.ts";

/** The texts that the console consists of. */
export interface ConsoleParts {
  readonly page: string;
  readonly style: string;
  /** The console's TypeScript by its path below `src`. */
  readonly sources: Readonly<Record<string, string>>;
}

const ENTRY = "console/main.js";

const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  // Everything comes from this service, except images, which may be bodies of responses.
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; " +
    "connect-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
} as const;

const SAME_ORIGIN = { "cross-origin-resource-policy": "same-origin" } as const;

/**
 * Creates the handlers of the console, by path.
 *
 * @param clientSources The TypeScript of the client, which the console imports, by its path below `src`.
 */
export function createConsoleAssets(
  { page, style, sources }: ConsoleParts,
  clientSources: Readonly<Record<string, string>>,
): Readonly<Record<string, AssetHandler>> {
  function readModule(path: string): string {
    const sourcePath = path.replace(/\.js$/, ".ts");
    const source = sources[sourcePath] ?? clientSources[sourcePath];
    if (source === undefined) throw new TypeError(`The console has no module ${path}`);
    return toJavaScript(source);
  }

  return {
    "/": createAsset({ read: () => page, headers: PAGE_HEADERS }),
    "/console/console.css": createAsset({
      read: () => style,
      headers: { ...SAME_ORIGIN, "content-type": "text/css; charset=utf-8" },
    }),
    "/console/main.js": createAsset({
      read: () => linkModules(ENTRY, readModule),
      headers: { ...SAME_ORIGIN, "content-type": "text/javascript; charset=utf-8" },
    }),
  };
}

/**
 * The client for browsers: the project's own TypeScript, served as plain modules with the types stripped.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { stripTypeScriptTypes } from "node:module";

/** Answers a GET or HEAD request for one module. */
export type AssetHandler = (request: Request) => Response;

const HEADERS = {
  "content-type": "text/javascript; charset=utf-8",
  // A new version of the service is a new version of its client: ask each time, mostly to hear 304.
  "cache-control": "no-cache",
  // Pages of any origin may import it; whether they may connect is decided at the handshake.
  "access-control-allow-origin": "*",
  "cross-origin-resource-policy": "cross-origin",
  "x-content-type-options": "nosniff",
} as const;

const IMPORT = /(\bfrom\s*|\bimport\s*)"(\.{1,2}\/[^"]+)\.ts"/g;

/**
 * Creates a handler for each module, by the path that it is served at.
 *
 * @param sources TypeScript by its path below `src`, as `client/mod.ts`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createAssets } from "./assets.ts";
 *
 * const assets = createAssets({ "client/mod.ts": 'export { id } from "./id.ts";\nexport type A = 1;' });
 * const response = assets["/client/mod.js"]?.(new Request("http://localhost/client/mod.js"));
 * assertEquals((await response?.text())?.trim(), 'export { id } from "./id.js";');
 * ```
 */
export function createAssets(
  sources: Readonly<Record<string, string>>,
): Readonly<Record<string, AssetHandler>> {
  return Object.fromEntries(
    Object.entries(sources).map(([path, source]) => [
      `/${path.replace(/\.ts$/, ".js")}`,
      createAsset(toJavaScript(source)),
    ]),
  );
}

/** Gives a module without its types, its imports as they are served. */
export function toJavaScript(source: string): string {
  return stripTypeScriptTypes(source).replace(IMPORT, '$1"$2.js"');
}

function createAsset(code: string): AssetHandler {
  const body = new TextEncoder().encode(code);
  const etag = `"${createHash("sha256").update(body).digest("base64url")}"`;
  const headers = { ...HEADERS, etag };
  return (request) => {
    if (hasTag(request.headers.get("if-none-match"), etag)) {
      return new Response(null, { status: 304, headers });
    }
    const length = { "content-length": String(body.byteLength) };
    return new Response(request.method === "HEAD" ? null : body, {
      headers: { ...headers, ...length },
    });
  };
}

/** RFC 9110 §13.1.2; a proxy that compresses on the way makes the tag weak. */
function hasTag(field: string | null, etag: string): boolean {
  if (field === null) return false;
  return field.trim() === "*" ||
    field.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}

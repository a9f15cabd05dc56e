/**
 * Handlers of static files for browsers: TypeScript modules without their types, and texts. Each file is created and
 * compressed when it is first requested, and kept.
 *
 * @module
 */
import { acceptsEncodings } from "@std/http/negotiation";
import { createHash } from "node:crypto";
import { stripTypeScriptTypes } from "node:module";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** Responds to a GET or HEAD request for one asset. */
export type AssetHandler = (request: Request) => Promise<Response>;

/** A text and the headers that it is served with. */
export interface Asset {
  /** Returns the text. Called once, when the asset is first requested. */
  read(): string;
  readonly headers: Readonly<Record<string, string>>;
}

const COMMON_HEADERS = {
  // Browsers ask each time whether the asset has changed, as it may with a new version of the service.
  "cache-control": "no-cache",
  "vary": "accept-encoding",
  "x-content-type-options": "nosniff",
} as const;

const SCRIPT_HEADERS = {
  "content-type": "text/javascript; charset=utf-8",
  // Pages of any origin may import the client; the handshake decides whether they may connect.
  "access-control-allow-origin": "*",
  "cross-origin-resource-policy": "cross-origin",
} as const;

const IMPORT = /(\bfrom\s*|\bimport\s*)"(\.{1,2}\/[^"]+)\.ts"/g;
// Comments on lines of their own and blanks, which browsers need not load.
const COMMENTS = /^[ \t]*\/\*\*(?:[^*]|\*(?!\/))*\*\/[ \t]*\n|^[ \t]*\/\/.*\n/gm;
const BLANKS = /[ \t]+$|^\n/gm;

// The highest quality, 11, takes twice as long and saves two percent.
const BROTLI_QUALITY = 10;

const CODINGS = {
  br: (bytes: Uint8Array) =>
    promisify(brotliCompress)(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  gzip: (bytes: Uint8Array) => promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }),
  identity: (bytes: Uint8Array) => Promise.resolve(bytes),
} as const;
type Coding = keyof typeof CODINGS;

/**
 * Creates the handlers of modules, by the paths that they are served at.
 *
 * @param sources TypeScript by its path below `src`, such as `client/mod.ts`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createAssets } from "./assets.ts";
 *
 * const assets = createAssets({ "client/mod.ts": 'export { id } from "./id.ts";\nexport type A = 1;' });
 * const response = await assets["/client/mod.js"]?.(new Request("http://localhost/client/mod.js"));
 * assertEquals((await response?.text())?.trim(), 'export { id } from "./id.js";');
 * ```
 */
export function createAssets(
  sources: Readonly<Record<string, string>>,
): Readonly<Record<string, AssetHandler>> {
  return Object.fromEntries(
    Object.entries(sources).map(([path, source]) => [
      `/${path.replace(/\.ts$/, ".js")}`,
      createAsset({ read: () => toJavaScript(source), headers: SCRIPT_HEADERS }),
    ]),
  );
}

/** Returns a TypeScript module as JavaScript that imports modules by the paths that they are served at. */
export function toJavaScript(source: string): string {
  return stripTypeScriptTypes(source).replace(IMPORT, '$1"$2.js"')
    .replace(COMMENTS, "").replace(BLANKS, "");
}

/** Creates the handler of one asset, which is served in the best content coding that the client accepts. */
export function createAsset({ read, headers }: Asset): AssetHandler {
  const bodies: Partial<Record<Coding, Promise<Uint8Array<ArrayBuffer>>>> = {};
  let content: { readonly bytes: Uint8Array; readonly hash: string } | undefined;

  function load(): { readonly bytes: Uint8Array; readonly hash: string } {
    if (content !== undefined) return content;
    const bytes = new TextEncoder().encode(read());
    const hash = createHash("sha256").update(bytes).digest("base64url").slice(0, 22);
    return content = { bytes, hash };
  }

  return async (request) => {
    const coding = selectCoding(request);
    const { bytes, hash } = load();
    // Each coding is a representation with a tag of its own (RFC 9110 §8.8.3).
    const etag = `"${hash}${coding === "identity" ? "" : `-${coding}`}"`;
    const common = { ...COMMON_HEADERS, ...headers, etag };
    if (hasTag(request.headers.get("if-none-match"), etag)) {
      return new Response(null, { status: 304, headers: common });
    }
    const body =
      await (bodies[coding] ??= CODINGS[coding](bytes).then((coded) => Uint8Array.from(coded)));
    return new Response(request.method === "HEAD" ? null : body, {
      headers: {
        ...common,
        ...(coding !== "identity" && { "content-encoding": coding }),
        "content-length": String(body.byteLength),
      },
    });
  };
}

/** Returns the coding with the smallest result that the client accepts, whatever its order of preference. */
function selectCoding(request: Request): Coding {
  if (!request.headers.has("accept-encoding")) return "identity";
  const codings = ["br", "gzip"] as const;
  return codings.find((coding) => acceptsEncodings(request, coding, "identity") === coding) ??
    "identity";
}

/** Evaluates `If-None-Match` (RFC 9110 §13.1.2). Tags may have been made weak by a proxy that compresses. */
function hasTag(field: string | null, etag: string): boolean {
  if (field === null) return false;
  return field.trim() === "*" ||
    field.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}

/**
 * What browsers are served: the project's own TypeScript as plain modules with the types stripped, and the page with
 * its style sheet. Nothing is made before it is asked for, and everything once.
 *
 * @module
 */
import { acceptsEncodings } from "@std/http/negotiation";
import { createHash } from "node:crypto";
import { stripTypeScriptTypes } from "node:module";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** Answers a GET or HEAD request for one asset. */
export type AssetHandler = (request: Request) => Promise<Response>;

/** A text that is served as it is. */
export interface Asset {
  /** Gives the text; asked once. */
  read(): string;
  readonly headers: Readonly<Record<string, string>>;
}

const COMMON_HEADERS = {
  // A new version of the service is a new version of its pages: ask each time, mostly to hear 304.
  "cache-control": "no-cache",
  "vary": "accept-encoding",
  "x-content-type-options": "nosniff",
} as const;

const SCRIPT_HEADERS = {
  "content-type": "text/javascript; charset=utf-8",
  // Pages of any origin may import it; whether they may connect is decided at the handshake.
  "access-control-allow-origin": "*",
  "cross-origin-resource-policy": "cross-origin",
} as const;

const IMPORT = /(\bfrom\s*|\bimport\s*)"(\.{1,2}\/[^"]+)\.ts"/g;
// What a person reads in the repository and a browser does not: comments on lines of their own, and blanks.
const COMMENTS = /^[ \t]*\/\*\*(?:[^*]|\*(?!\/))*\*\/[ \t]*\n|^[ \t]*\/\/.*\n/gm;
const BLANKS = /[ \t]+$|^\n/gm;

// The best quality takes twice as long as the next one, and saves two percent.
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

/** Gives a module without its types, its imports as they are served. */
export function toJavaScript(source: string): string {
  return stripTypeScriptTypes(source).replace(IMPORT, '$1"$2.js"')
    .replace(COMMENTS, "").replace(BLANKS, "");
}

/** Creates a handler of one text, in the best coding that the client takes. */
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
    // The codings are different representations (RFC 9110 §8.8.3).
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

/** The smallest first, whatever order the client names them in. */
function selectCoding(request: Request): Coding {
  if (!request.headers.has("accept-encoding")) return "identity";
  const codings = ["br", "gzip"] as const;
  return codings.find((coding) => acceptsEncodings(request, coding, "identity") === coding) ??
    "identity";
}

/** RFC 9110 §13.1.2; a proxy that compresses on the way makes the tag weak. */
function hasTag(field: string | null, etag: string): boolean {
  if (field === null) return false;
  return field.trim() === "*" ||
    field.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}

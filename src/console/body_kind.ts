/**
 * How a body can be looked at.
 *
 * @module
 */

import { readJson } from "./json_text.ts";

/** A way to look at a body. */
export type ViewKind = "json" | "text" | "image" | "hex";

/** A body by what it is. */
export interface Classified {
  /** The best first. */
  readonly views: readonly [ViewKind, ...ViewKind[]];
  /** `undefined`: it is not UTF-8. */
  readonly text: string | undefined;
}

/** A longer text is not read just to find out what it is. */
const MAX_GUESS = 1_000_000;

const UTF8 = new TextDecoder("utf-8", { fatal: true });
const JSON_TYPE = /^(?:application\/json|text\/json|[^;\s]+\+json|application\/x-ndjson)\b/i;
// What an <img> element takes and runs no script of; SVG does not in one.
const IMAGE_TYPE =
  /^image\/(?:png|jpe?g|gif|webp|avif|bmp|svg\+xml|x-icon|vnd\.microsoft\.icon)\b/i;

/** Gives how a body can be looked at. */
export function classifyBody(contentType: string, bytes: Uint8Array): Classified {
  const text = decode(bytes);
  const isImage = IMAGE_TYPE.test(contentType.trim()) && bytes.byteLength > 0;
  // Some servers say text/plain, or nothing, of JSON: then it has to be some.
  const isJson = text !== undefined &&
    (JSON_TYPE.test(contentType.trim()) || !isImage && isUnsaidJson(text));
  const views: ViewKind[] = [
    ...(isImage ? ["image" as const] : []),
    ...(isJson ? ["json" as const] : []),
    ...(text === undefined ? [] : ["text" as const]),
  ];
  const [first, ...rest] = views;
  return { views: first === undefined ? ["hex"] : [first, ...rest, "hex"], text };
}

/** Gives the value of a header field, `""` when there is none. */
export function headerOf(
  headers: readonly (readonly [string, string])[],
  name: string,
): string {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1] ?? "";
}

function isUnsaidJson(text: string): boolean {
  return text.length <= MAX_GUESS && /^\s*[[{]/.test(text) && readJson(text).type === "json";
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined; // bytes, then
  }
}

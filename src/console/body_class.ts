/**
 * Determines in which views a body can be shown.
 *
 * @module
 */
import { readJson } from "./json_text.ts";

/** A view of a body. */
export type ViewKind = "json" | "text" | "image" | "hex";

/** A body and its views. */
export interface ClassifiedBody {
  /** The possible views, the most useful first. */
  readonly views: readonly [ViewKind, ...ViewKind[]];
  /** `undefined` if the body is not UTF-8. */
  readonly text: string | undefined;
}

/** Longer texts are not parsed only to detect JSON. */
const MAX_DETECTED_LENGTH = 1_000_000;

const UTF8 = new TextDecoder("utf-8", { fatal: true });
const JSON_TYPE = /^(?:application\/json|text\/json|[^;\s]+\+json|application\/x-ndjson)\b/i;
// Types that an <img> element shows without running scripts. It runs no scripts of SVG images either.
const IMAGE_TYPE =
  /^image\/(?:png|jpe?g|gif|webp|avif|bmp|svg\+xml|x-icon|vnd\.microsoft\.icon)\b/i;

/** Returns the views of a body. */
export function classifyBody(contentType: string, bytes: Uint8Array): ClassifiedBody {
  const text = decode(bytes);
  const isImage = IMAGE_TYPE.test(contentType.trim()) && bytes.byteLength > 0;
  // Some servers send JSON as text/plain or without a type.
  const isJson = text !== undefined &&
    (JSON_TYPE.test(contentType.trim()) || !isImage && looksLikeJson(text));
  const views: ViewKind[] = [
    ...(isImage ? ["image" as const] : []),
    ...(isJson ? ["json" as const] : []),
    ...(text === undefined ? [] : ["text" as const]),
  ];
  const [first, ...rest] = views;
  return { views: first === undefined ? ["hex"] : [first, ...rest, "hex"], text };
}

/** Returns the value of the first header with this lower-case name, `""` if there is none. */
export function headerValue(
  headers: readonly (readonly [string, string])[],
  name: string,
): string {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1] ?? "";
}

function looksLikeJson(text: string): boolean {
  return text.length <= MAX_DETECTED_LENGTH && /^\s*[[{]/.test(text) &&
    readJson(text).type === "json";
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined; // shown as bytes
  }
}

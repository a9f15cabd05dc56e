/**
 * Encodes a request as the fragment of a link, without credentials. Browsers do not send fragments to servers.
 *
 * @module
 */
import type { HeaderPairs } from "../protocol/mod.ts";
import { scrubDraft } from "./credentials.ts";
import { BODY_KINDS, DELIVERY_MODES, type Draft, EMPTY_DRAFT, REDIRECT_MODES } from "./draft.ts";

/** The fragment of a link. */
export interface SharedDraft {
  /** Starts with `#`. */
  readonly fragment: string;
  /** What the link does not contain, such as `the file`. */
  readonly omitted: readonly string[];
}

const PREFIX = "#request=";
/** Longer links are often cut off in mail and chat. */
const MAX_BODY_LENGTH = 16_384;
const MAX_FRAGMENT_LENGTH = 131_072;
const MAX_HEADERS = 1000;

/**
 * Returns the fragment of a link to a draft.
 *
 * @param draft The draft.
 * @param secrets Values that are removed wherever they occur.
 */
export function encodeShare(draft: Draft, secrets: readonly string[] = []): SharedDraft {
  const { draft: clean, omitted } = scrubDraft(draft, secrets);
  const isLong = clean.bodyText.length > MAX_BODY_LENGTH;
  const shared: Draft = isLong ? { ...clean, bodyText: "" } : clean;
  const members = Object.entries(shared).filter(([name, value]) =>
    JSON.stringify(value) !== JSON.stringify(EMPTY_DRAFT[name as keyof Draft]) // a key of Draft
  );
  return {
    fragment: PREFIX + toBase64Url(JSON.stringify(Object.fromEntries(members))),
    omitted: [
      ...omitted,
      ...(isLong ? ["the body, which is too long for a link"] : []),
      ...(draft.bodyKind === "file" ? ["the file"] : []),
    ],
  };
}

/** Returns the draft in the fragment of a link; `undefined` if there is none or it is invalid. */
export function decodeShare(fragment: string): Draft | undefined {
  if (!fragment.startsWith(PREFIX) || fragment.length > MAX_FRAGMENT_LENGTH) return undefined;
  try {
    return parseDraft(JSON.parse(fromBase64Url(fragment.slice(PREFIX.length))));
  } catch {
    return undefined; // the link was cut off or is invalid
  }
}

/** Returns the draft in a parsed JSON value, with defaults for missing members; `undefined` if it is invalid. */
export function parseDraft(value: unknown): Draft | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const given = { ...EMPTY_DRAFT, ...value } as Readonly<Record<keyof Draft, unknown>>;
  const { method, upstream, url, headers, bodyText, timeoutMs } = given;
  const bodyKind = BODY_KINDS.find((kind) => kind === given.bodyKind);
  const mode = DELIVERY_MODES.find((name) => name === given.mode);
  const redirect = REDIRECT_MODES.find((name) => name === given.redirect);
  if (
    typeof method !== "string" || typeof upstream !== "string" || typeof url !== "string" ||
    typeof bodyText !== "string" || !isPairs(headers) || bodyKind === undefined ||
    mode === undefined || redirect === undefined ||
    (timeoutMs !== null && !Number.isSafeInteger(timeoutMs))
  ) return undefined;
  return {
    method,
    upstream,
    url,
    headers,
    bodyKind,
    bodyText,
    timeoutMs: timeoutMs as number | null, // checked above
    mode,
    redirect,
  };
}

function isPairs(value: unknown): value is HeaderPairs {
  return Array.isArray(value) && value.length <= MAX_HEADERS &&
    value.every((pair) =>
      Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string")
    );
}

function toBase64Url(text: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64Url(text: string): string {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

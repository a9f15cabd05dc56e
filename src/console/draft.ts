/**
 * The request in the editor, and its conversion to a request that can be sent.
 *
 * @module
 */
import type { OutgoingRequest } from "../client/request.ts";
import { isToken } from "../protocol/grammar.ts";
import type { HeaderPairs, RedirectMode } from "../protocol/mod.ts";
import { findJsonProblem } from "./json_layout.ts";

/** The kind of body in the editor. */
export type BodyKind = (typeof BODY_KINDS)[number];

/** How the body of the response is delivered. */
export type DeliveryMode = (typeof DELIVERY_MODES)[number];

/** Every {@linkcode BodyKind}. */
export const BODY_KINDS = ["none", "json", "text", "file"] as const;

/** Every {@linkcode DeliveryMode}. */
export const DELIVERY_MODES = ["whole", "chunks", "events", "lines"] as const;

/** Every way to handle a redirect. */
export const REDIRECT_MODES = ["follow", "manual", "error"] as const satisfies RedirectMode[];

/** The target of a draft. */
export interface DraftTarget {
  /** A named upstream, or `""` if `url` is absolute. */
  readonly upstream: string;
  /** An absolute URL, or a path below the upstream. */
  readonly url: string;
}

/** The request in the editor. A file is not part of it. */
export interface Draft extends DraftTarget {
  readonly method: string;
  readonly headers: HeaderPairs;
  readonly bodyKind: BodyKind;
  readonly bodyText: string;
  /** `null` for the default of the service. */
  readonly timeoutMs: number | null;
  readonly mode: DeliveryMode;
  readonly redirect: RedirectMode;
}

/** Why a draft cannot be sent. */
export interface DraftProblem {
  readonly field: "method" | "url" | "headers" | "body" | "timeout";
  readonly message: string;
}

/** The file of a draft whose body kind is `file`. */
export type BodyFile = Pick<File, "name" | "type" | "size" | "stream" | "arrayBuffer">;

/** A draft without a URL. */
export const EMPTY_DRAFT: Draft = {
  method: "GET",
  upstream: "",
  url: "",
  headers: [],
  bodyKind: "none",
  bodyText: "",
  timeoutMs: null,
  mode: "whole",
  redirect: "follow",
};

/** Files up to this size are read into memory, so that the request can be sent again. */
const MEMORY_BYTES = 1_048_576;

const UPSTREAM_URL = /^(?!https?:)[a-z][a-z0-9-]*:\/(?!\/)/;
const METHODS_WITHOUT_BODY: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/** Returns the target as the `url` of a request frame. A missing scheme is added, as an address bar does. */
export function toTarget({ upstream, url }: DraftTarget): string {
  const text = url.trim();
  if (upstream !== "") return `${upstream}:${text.startsWith("/") ? "" : "/"}${text}`;
  if (text === "" || /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || UPSTREAM_URL.test(text)) return text;
  const isLocal = /^(?:localhost|127\.|\[)/.test(text);
  return `${isLocal ? "http" : "https"}://${text.replace(/^\/\//, "")}`;
}

/** Returns every reason why the draft cannot be sent. */
export function findFieldProblems(draft: Draft, hasFile: boolean): DraftProblem[] {
  const { method, bodyKind, bodyText, timeoutMs } = draft;
  const problems: DraftProblem[] = [];
  if (!isToken(method)) problems.push({ field: "method", message: "Enter a method such as GET" });
  const url = findUrlProblem(draft);
  if (url !== undefined) problems.push({ field: "url", message: url });
  for (const [name, value] of draft.headers) {
    const header = findHeaderProblem(name, value);
    if (header !== undefined) problems.push({ field: "headers", message: header });
  }
  const hasBody = bodyKind !== "none";
  const json = bodyKind === "json" ? findJsonProblem(bodyText) : undefined;
  if (hasBody && METHODS_WITHOUT_BODY.has(method)) {
    const message = `A ${method} request has no body; choose None or another method`;
    problems.push({ field: "body", message });
  } else if (json !== undefined) problems.push({ field: "body", message: json });
  else if (bodyKind === "file" && !hasFile) {
    problems.push({ field: "body", message: "Choose a file or another kind of body" });
  }
  if (timeoutMs !== null && !(Number.isSafeInteger(timeoutMs) && timeoutMs > 0)) {
    problems.push({ field: "timeout", message: "Enter whole milliseconds or leave it empty" });
  }
  return problems;
}

/** Returns the content type that is added to the request; `undefined` if it has one or has no body. */
export function defaultContentType(
  { headers, bodyKind }: Draft,
  fileType = "",
): string | undefined {
  if (headers.some(([name]) => name.toLowerCase() === "content-type")) return undefined;
  if (bodyKind === "json") return "application/json";
  if (bodyKind === "text") return "text/plain;charset=utf-8";
  return bodyKind === "file" ? fileType || "application/octet-stream" : undefined;
}

/** Returns the request of a draft that has no problems. */
export async function toRequest(draft: Draft, file?: BodyFile): Promise<OutgoingRequest> {
  const sentFile = draft.bodyKind === "file" ? file : undefined;
  const type = defaultContentType(draft, sentFile?.type);
  return {
    method: draft.method,
    url: new URL(toTarget(draft)),
    headers: type === undefined ? draft.headers : [...draft.headers, ["content-type", type]],
    body: await readBody(draft, sentFile),
    redirect: draft.redirect,
    signal: undefined,
    ...(draft.timeoutMs !== null && { timeoutMs: draft.timeoutMs }),
  };
}

async function readBody(
  { bodyKind, bodyText }: Draft,
  file: BodyFile | undefined,
): Promise<OutgoingRequest["body"]> {
  if (bodyKind === "json" || bodyKind === "text") return new TextEncoder().encode(bodyText);
  if (file === undefined) return null;
  return file.size <= MEMORY_BYTES
    ? new Uint8Array(await file.arrayBuffer())
    : file.stream().getReader();
}

function findUrlProblem(draft: Draft): string | undefined {
  const text = toTarget(draft);
  if (text === "") return "Enter a URL such as https://api.example.com/items";
  const url = URL.parse(text);
  if (url === null) return "Invalid URL; enter one such as https://api.example.com/items";
  if (draft.upstream !== "" || UPSTREAM_URL.test(text)) return undefined;
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return "Only http and https URLs can be requested";
  }
  return url.username === "" && url.password === ""
    ? undefined
    : "Credentials in the URL are refused; use an authorization header";
}

function findHeaderProblem(name: string, value: string): string | undefined {
  if (!isToken(name)) return `${JSON.stringify(name)} is not a valid header name`;
  // RFC 9110 §5.5
  return /[\0\r\n]|[^\0-\xff]/.test(value)
    ? `The value of ${name} has a character that is not valid in headers`
    : undefined;
}

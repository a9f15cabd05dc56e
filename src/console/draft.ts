/**
 * A request as it stands in the editor, and what it takes to become one that can be sent.
 *
 * @module
 */
import type { OutgoingRequest } from "../client/request.ts";
import type { HeaderPairs, RedirectMode } from "../protocol/mod.ts";
import { findJsonFault } from "./json_layout.ts";

/** What the editor's body is. */
export type BodyKind = (typeof BODY_KINDS)[number];

/** How the answer's body is to come. */
export type AnswerMode = (typeof ANSWER_MODES)[number];

/** Every {@linkcode BodyKind}. */
export const BODY_KINDS = ["none", "json", "text", "file"] as const;

/** Every {@linkcode AnswerMode}. */
export const ANSWER_MODES = ["whole", "chunks", "events", "lines"] as const;

/** Every way to treat a redirect. */
export const REDIRECT_MODES = ["follow", "manual", "error"] as const satisfies RedirectMode[];

/** A request as it stands in the editor; a file is not part of it. */
export interface Draft {
  readonly method: string;
  /** A named upstream; `""`: none, `url` is absolute. */
  readonly upstream: string;
  /** An absolute URL, or the path below the upstream. */
  readonly url: string;
  readonly headers: HeaderPairs;
  readonly bodyKind: BodyKind;
  readonly bodyText: string;
  /** `null`: the service's own. */
  readonly timeoutMs: number | null;
  readonly mode: AnswerMode;
  readonly redirect: RedirectMode;
}

/** What is wrong with a draft. */
export interface Fault {
  readonly field: "method" | "url" | "headers" | "body" | "timeout";
  readonly message: string;
}

/** The file of a draft whose body is one. */
export type BodyFile = Pick<File, "name" | "type" | "size" | "stream" | "arrayBuffer">;

/** A request to begin with. */
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

/** A file up to this size can be sent again when the connection breaks. */
const MEMORY_BYTES = 1_048_576;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/; // RFC 9110 §5.6.2
const UPSTREAM_URL = /^(?!https?:)[a-z][a-z0-9-]*:\/(?!\/)/;
const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/** Gives the target as a frame's `url` has it. */
export function toTarget({ upstream, url }: Pick<Draft, "upstream" | "url">): string {
  const text = url.trim();
  if (upstream !== "") return `${upstream}:${text.startsWith("/") ? "" : "/"}${text}`;
  if (text === "" || /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || UPSTREAM_URL.test(text)) return text;
  // As an address bar reads it.
  const isLocal = /^(?:localhost|127\.|\[)/.test(text);
  return `${isLocal ? "http" : "https"}://${text.replace(/^\/\//, "")}`;
}

/** Gives everything that keeps a draft from being sent. */
export function findFaults(draft: Draft, hasFile: boolean): Fault[] {
  const { method, bodyKind, bodyText, timeoutMs } = draft;
  const faults: Fault[] = [];
  if (!TOKEN.test(method)) faults.push({ field: "method", message: "Enter a method like GET" });
  const url = findUrlFault(draft);
  if (url !== undefined) faults.push({ field: "url", message: url });
  for (const [name, value] of draft.headers) {
    const fault = findHeaderFault(name, value);
    if (fault !== undefined) faults.push({ field: "headers", message: fault });
  }
  const hasBody = bodyKind !== "none";
  const json = bodyKind === "json" ? findJsonFault(bodyText) : undefined;
  if (hasBody && BODILESS.has(method)) {
    faults.push({ field: "body", message: `A ${method} request has no body; choose None or POST` });
  } else if (json !== undefined) faults.push({ field: "body", message: json });
  else if (bodyKind === "file" && !hasFile) {
    faults.push({ field: "body", message: "Choose a file, or another kind of body" });
  }
  if (timeoutMs !== null && !(Number.isSafeInteger(timeoutMs) && timeoutMs > 0)) {
    faults.push({ field: "timeout", message: "Enter whole milliseconds, or nothing" });
  }
  return faults;
}

/** Gives the content type that is added to a request which names none. */
export function defaultContentType(
  { headers, bodyKind }: Pick<Draft, "headers" | "bodyKind">,
  fileType = "",
): string | undefined {
  if (headers.some(([name]) => name.toLowerCase() === "content-type")) return undefined;
  if (bodyKind === "json") return "application/json";
  if (bodyKind === "text") return "text/plain;charset=utf-8";
  return bodyKind === "file" ? fileType || "application/octet-stream" : undefined;
}

/** Gives the request of a draft without faults. */
export function toRequest(draft: Draft, file?: BodyFile): Promise<OutgoingRequest> {
  return withBody(draft, draft.bodyKind === "file" ? file : undefined);
}

async function withBody(draft: Draft, file: BodyFile | undefined): Promise<OutgoingRequest> {
  const type = defaultContentType(draft, file?.type);
  return {
    method: draft.method,
    url: new URL(toTarget(draft)),
    headers: type === undefined ? draft.headers : [...draft.headers, ["content-type", type]],
    body: await readBody(draft, file),
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

function findUrlFault(draft: Draft): string | undefined {
  const text = toTarget(draft);
  if (text === "") return "Enter a URL like https://api.example.com/items";
  const url = URL.parse(text);
  if (url === null) return "This is not a URL; enter one like https://api.example.com/items";
  if (draft.upstream !== "" || UPSTREAM_URL.test(text)) return undefined;
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return "Only http and https URLs can be requested";
  }
  return url.username === "" && url.password === ""
    ? undefined
    : "A user in the URL is refused; use an authorization header";
}

function findHeaderFault(name: string, value: string): string | undefined {
  if (!TOKEN.test(name)) return `${JSON.stringify(name)} is not a header's name`;
  // RFC 9110 §5.5
  return /[\0\r\n]|[^\0-\xff]/.test(value)
    ? `The value of ${name} has a character that no header can have`
    : undefined;
}

/**
 * Writes a request as a shell command.
 *
 * @module
 */
import { defaultContentType, type Draft, toTarget } from "./draft.ts";

/** The text of a request in some format. */
export interface CopiedText {
  readonly text: string;
  /** What the format cannot express, and other hints. */
  readonly notes: readonly string[];
}

/** The properties of the page and of the service that a copied text contains or depends on. */
export interface CopyContext {
  /** The origin of the service, such as `https://proxy.example`. */
  readonly origin: string;
  readonly needsToken: boolean;
  /** The name of the file if the body is a file. */
  readonly fileName?: string | undefined;
}

/** Returns a curl command that sends the request directly to the destination. */
export function toCurl(draft: Draft, { fileName }: CopyContext): CopiedText {
  const { method, bodyKind, bodyText, timeoutMs, redirect, mode, upstream } = draft;
  const hasBody = bodyKind !== "none";
  const target = toTarget(draft);
  const isNamed = upstream !== "" || !/^https?:/i.test(target);
  const words = [
    "curl",
    ...(method === "HEAD" ? ["--head"] : method === (hasBody ? "POST" : "GET") ? [] : [
      `--request ${quote(method)}`,
    ]),
    ...(/[[\]{}]/.test(target) ? ["--globoff"] : []),
    quote(target),
    ...withContentType(draft).map(([name, value]) =>
      `--header ${quote(value === "" ? `${name};` : `${name}: ${value}`)}`
    ),
    ...(bodyKind === "file" ? [`--data-binary ${quote(`@${fileName ?? "file"}`)}`] : []),
    ...(bodyKind === "json" || bodyKind === "text" ? [`--data-raw ${quote(bodyText)}`] : []),
    ...(redirect === "follow" ? ["--location --max-redirs 10"] : []),
    ...(timeoutMs === null ? [] : [`--max-time ${timeoutMs / 1000}`]),
    ...(mode === "whole" ? ["--compressed"] : ["--no-buffer"]),
  ];
  return {
    text: words.join(" \\\n  "),
    notes: [
      "Sends the request directly to the destination, not through wsfetch",
      ...(isNamed ? ["Replace the name of the upstream with its base URL"] : []),
    ],
  };
}

/** Returns the headers with the default content type, except for a file. */
export function withContentType(draft: Draft): Draft["headers"] {
  const type = defaultContentType(draft);
  return type === undefined || draft.bodyKind === "file"
    ? draft.headers
    : [...draft.headers, ["content-type", type]];
}

/** Quotes a word for a POSIX shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

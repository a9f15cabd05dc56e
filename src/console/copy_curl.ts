/**
 * A request as a command for a shell.
 *
 * @module
 */
import { defaultContentType, type Draft, toTarget } from "./draft.ts";

/** What was written down. */
export interface Copied {
  readonly text: string;
  /** What the format cannot say. */
  readonly notes: readonly string[];
}

/** What surrounds a request. */
export interface CopyContext {
  /** The origin of the service, as `https://proxy.example`. */
  readonly origin: string;
  readonly needsToken: boolean;
  /** The name of the file that is the body. */
  readonly fileName?: string | undefined;
}

/** Writes a draft down as a curl command that goes straight to the destination. */
export function toCurl(draft: Draft, { fileName }: CopyContext): Copied {
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
      "Straight to the destination, not through wsfetch",
      ...(isNamed ? ["Put the upstream's base URL in place of its name"] : []),
    ],
  };
}

/** Gives the headers with the content type that is added to them; that of a file is its own. */
export function withContentType(draft: Draft): Draft["headers"] {
  const type = defaultContentType(draft);
  return type === undefined || draft.bodyKind === "file"
    ? draft.headers
    : [...draft.headers, ["content-type", type]];
}

/** For a POSIX shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

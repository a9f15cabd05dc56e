/**
 * Writes a request as client code, as a frame or as a curl command.
 *
 * @module
 */
import { type Draft, toTarget } from "./draft.ts";
import { type CopiedText, type CopyContext, toCurl, withContentType } from "./copy_curl.ts";
import { toCompact } from "./json_layout.ts";
import { readJson } from "./json_text.ts";

/** The formats, and their labels. */
export const COPY_FORMATS = {
  client: "Client code",
  v1: "v1 frame",
  plain: "Plain frame",
  curl: "curl",
} as const;

/** A format. */
export type CopyFormat = keyof typeof COPY_FORMATS;

/** Returns the request in a format. */
export function copyAs(format: CopyFormat, draft: Draft, context: CopyContext): CopiedText {
  if (format === "client") return toClientCode(draft, context);
  if (format === "v1") return toV1Frame(draft);
  return format === "plain" ? toPlainFrame(draft) : toCurl(draft, context);
}

function toClientCode(draft: Draft, { origin, needsToken, fileName }: CopyContext): CopiedText {
  const { method, bodyKind, bodyText, timeoutMs, redirect, mode } = draft;
  const headers = withContentType(draft);
  const socketUrl = `${origin.replace(/^http/, "ws")}/ws`;
  const body = bodyKind === "file"
    ? `file, // ${JSON.stringify(fileName ?? "a File or Blob")}`
    : bodyKind === "none"
    ? undefined
    : `${JSON.stringify(bodyText)},`;
  const options = [
    ...(method === "GET" ? [] : [`method: ${JSON.stringify(method)},`]),
    ...(headers.length === 0 ? [] : [`headers: ${toPairs(headers)},`]),
    ...(body === undefined ? [] : [`body: ${body}`]),
    ...(redirect === "follow" ? [] : [`redirect: ${JSON.stringify(redirect)},`]),
    ...(timeoutMs === null ? [] : [`wsfetch: { timeoutMs: ${timeoutMs} },`]),
  ];
  const init = options.length === 0 ? "" : `, {\n${options.map((line) => `  ${line}\n`).join("")}}`;
  const call = mode === "events" ? "client.events" : "client.fetch";
  const made = `${call}(${JSON.stringify(toTarget(draft))}${init})`;
  const text = [
    `import { createClient } from ${JSON.stringify(`${origin}/client/mod.js`)};`,
    "",
    `const client = createClient(${JSON.stringify(socketUrl)}${
      needsToken ? ", { token: () => getToken() }" : ""
    });`,
    ...toReading(mode, made),
  ].join("\n");
  return { text: `${text}\n`, notes: [] };
}

const LOG = "console.log"; // in the copied code

function toReading(mode: Draft["mode"], call: string): readonly string[] {
  if (mode === "events") {
    return [`for await (const { type, data } of ${call}) {`, `  ${LOG}(type, data);`, "}"];
  }
  const response = `const response = await ${call};`;
  if (mode === "whole") {
    return [response, `${LOG}(response.status, await response.text());`];
  }
  const chunks = mode === "chunks"
    ? "response.body"
    : "response.body.pipeThrough(new TextDecoderStream())";
  return [response, `for await (const chunk of ${chunks}) {`, `  ${LOG}(chunk);`, "}"];
}

function toV1Frame(draft: Draft): CopiedText {
  const { method, upstream, timeoutMs, redirect, mode, bodyKind, headers } = draft;
  const target = toTarget(draft);
  const head = {
    type: "request",
    id: 1,
    ...(upstream === "" ? { url: target } : { upstream, path: target.slice(upstream.length + 1) }),
    ...(method !== "GET" && { method }),
    ...(headers.length > 0 || bodyKind === "text"
      ? { headers: bodyKind === "json" ? headers : withContentType(draft) }
      : {}),
    ...(timeoutMs !== null && { timeoutMs }),
    ...(redirect !== "follow" && { redirect }),
    ...(mode !== "whole" && { stream: mode === "chunks" ? true : mode }),
    ...(bodyKind === "file" && { bodyFollows: true }),
  };
  const body = bodyKind === "json"
    ? `"json":${compact(draft.bodyText)}`
    : bodyKind === "text"
    ? `"text":${JSON.stringify(draft.bodyText)}`
    : undefined;
  return {
    text: withMember(head, body),
    notes: bodyKind === "file"
      ? ["Send the file in binary chunks after the frame, the last with FIN"]
      : [],
  };
}

function toPlainFrame(draft: Draft): CopiedText {
  const { method, timeoutMs, redirect, mode, bodyKind } = draft;
  // For JSON in `data`, the service adds the content type. For text it does not.
  const headers = bodyKind === "text" ? withContentType(draft) : draft.headers;
  const json = bodyKind === "json" ? compact(draft.bodyText) : undefined;
  // The service would send a JSON string without its quotes, and null not at all. Both are sent as text instead.
  const isPlain = json !== undefined && /^["n]/.test(json);
  const typed = isPlain ? withContentType(draft) : headers;
  const head = {
    url: toTarget(draft),
    method,
    ...(typed.length > 0 && { headers: Object.fromEntries(typed) }),
  };
  const data = bodyKind === "text" || isPlain ? JSON.stringify(json ?? draft.bodyText) : json;
  const names = typed.map(([name]) => name.toLowerCase());
  return {
    text: withMember(head, data === undefined ? undefined : `"data":${data}`),
    notes: [
      ...(new Set(names).size < names.length
        ? ["Plain frames cannot repeat a header: only the last value is included"]
        : []),
      ...(bodyKind === "file" ? ["Plain frames cannot contain a file: the body is missing"] : []),
      ...(timeoutMs !== null ? ["Plain frames have no timeout"] : []),
      ...(redirect !== "follow" ? ["Plain frames always follow redirects"] : []),
      ...(mode !== "whole" ? ["Plain frames always return a complete response"] : []),
    ],
  };
}

function toPairs(headers: Draft["headers"]): string {
  const names = headers.map(([name]) => name.toLowerCase());
  const isUnique = new Set(names).size === names.length;
  const lines = headers.map(([name, value]) =>
    isUnique
      ? `${JSON.stringify(name)}: ${JSON.stringify(value)}`
      : `[${JSON.stringify(name)}, ${JSON.stringify(value)}]`
  );
  return isUnique ? `{ ${lines.join(", ")} }` : `[${lines.join(", ")}]`;
}

function withMember(head: unknown, member: string | undefined): string {
  const text = JSON.stringify(head);
  return member === undefined ? text : `${text.slice(0, -1)},${member}}`;
}

/** Returns JSON on one line, as terminals send it, and invalid JSON unchanged. */
function compact(text: string): string {
  const json = readJson(text, Infinity);
  return json.type === "json" ? toCompact(json) : text;
}

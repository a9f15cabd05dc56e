/**
 * The plain dialect, for a person at a terminal and for clients of the original service:
 * `{url, method, data}` in, `{status_code, headers, content}` out.
 *
 * @module
 */
import { formBody } from "../protocol/body.ts";
import {
  type HeaderPairs,
  type HttpResponse,
  ProxyError,
  type ProxyRequest,
  type WholeResponse,
} from "../protocol/mod.ts";
import {
  addQuery,
  parseTarget,
  refuseBodyOf,
  type Target,
  toHeaderPairs,
  withJsonType,
} from "../protocol/request.ts";
import { contentTypeOf } from "../protocol/response.ts";
import { sliceMember } from "../protocol/verbatim.ts";
import {
  type Dialect,
  type ExchangeId,
  type Incoming,
  isObject,
  parseObject,
  toInvalid,
} from "./dialect.ts";
import { isPlainFrame } from "./accept.ts";
import { findQueryFault, isQueryField } from "./fields.ts";
import {
  describeIssues,
  MAX_PLAIN_ID_LENGTH,
  type PlainFrame,
  plainFrameSchema,
  quotePath,
} from "./schema.ts";

/** The plain dialect as PROTOCOL.md has it. */
export const plain: Dialect = {
  name: "plain",
  decode(data): Incoming {
    try {
      return decode(data);
    } catch (error) {
      return toInvalid(undefined, error);
    }
  },
  encodeResponse: (id: ExchangeId, { response }: WholeResponse) =>
    assemble(id, [
      `"status_code":${response.status}`,
      `"headers":${JSON.stringify(toHeaderObject(response.headers))}`,
      ...encodeContent(response),
    ]),
  encodeError: (id: ExchangeId, error: ProxyError) =>
    assemble(id, [
      `"error":${JSON.stringify(error.message)}`,
      `"code":"${error.code}"`,
    ]),
  encodeConnectionFrame: () => undefined,
};

function decode(data: string | ArrayBuffer): Incoming {
  if (typeof data !== "string") {
    throw new ProxyError("bad_frame", "Binary frames mean nothing here; send one JSON object");
  }
  const value = parseObject(data);
  const id = typeof value.id === "string" || typeof value.id === "number"
    ? sliceMember(data, "id")?.trim()
    : undefined;
  if (id !== undefined && id.length > MAX_PLAIN_ID_LENGTH) {
    throw new ProxyError(
      "bad_request",
      `"id" must be at most ${MAX_PLAIN_ID_LENGTH} characters of JSON`,
    );
  }
  try {
    if (isPlainFrame(value)) return { type: "request", id, request: toRequest(value, data) };
    const { success, data: frame, error } = plainFrameSchema.safeParse(value);
    if (!success) throw new ProxyError("bad_request", describeIssues(error));
    return { type: "request", id, request: toRequest(frame, data) };
  } catch (error) {
    return toInvalid(id, error);
  }
}

function toRequest(frame: PlainFrame, text: string): ProxyRequest {
  const method = frame.method.toUpperCase();
  const target = parseTarget(frame.url);
  const headers = toHeaderPairs(frame.headers ?? []);
  const bodiless = {
    method,
    target,
    headers,
    body: null,
    redirect: "follow",
    stream: false,
    bodyFollows: false,
  } as const;
  const { data } = frame;
  if (data === undefined || data === null) return bodiless;
  if (method === "GET" || method === "HEAD") {
    return { ...bodiless, target: addData(target, data, method) };
  }
  if (typeof data === "string") return { ...bodiless, body: new TextEncoder().encode(data) };
  return {
    ...bodiless,
    headers: withJsonType(headers),
    body: new TextEncoder().encode(sliceMember(text, "data")?.trim()),
  };
}

function addData(target: Target, data: unknown, method: string): Target {
  if (!isObject(data)) refuseBodyOf(method);
  if (!isQueryField(data)) throw new ProxyError("bad_request", describeDataFault(data));
  return addQuery(target, data);
}

function describeDataFault(data: unknown): string {
  const { path, message } = findQueryFault(data) ?? { path: [], message: "" };
  return `${quotePath(["data", ...path])} ${message}`;
}

/** An object of strings, but a list of strings for `set-cookie`, which cannot be joined (RFC 9110 §5.3). */
function toHeaderObject(pairs: HeaderPairs): Record<string, string | readonly string[]> {
  // A field may be called like a member of every object.
  const fields: Record<string, string | readonly string[]> = Object.create(null);
  for (const [name, value] of pairs) {
    const before = fields[name];
    if (before === undefined) fields[name] = value;
    else if (name === "set-cookie") fields[name] = [before, value].flat();
    else fields[name] = `${before}, ${value}`;
  }
  return fields;
}

function encodeContent({ headers, body }: HttpResponse): string[] {
  if (body === null) return ['"content":null'];
  const { kind, text } = formBody(contentTypeOf(headers), body);
  if (kind === "json") return [`"content":${text}`];
  return [
    ...(kind === "base64" ? ['"encoding":"base64"'] : []),
    `"content":${JSON.stringify(text)}`,
  ];
}

function assemble(id: ExchangeId, members: readonly string[]): string {
  return `{${[...(id === undefined ? [] : [`"id":${id}`]), ...members].join(",")}}`;
}

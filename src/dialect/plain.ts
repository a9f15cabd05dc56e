/**
 * The plain dialect, for a person at a terminal and for clients of the service that wsfetch replaced:
 * a request is `{url, method, data}`, a response is `{status_code, headers, content}`.
 *
 * @module
 */
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
  type BodyForm,
  formBody,
  formBodyInSteps,
  type FrameBody,
  joinInSteps,
} from "./body_form.ts";
import {
  type Dialect,
  type ExchangeId,
  type Incoming,
  isObject,
  parseObject,
  toInvalid,
} from "./dialect.ts";
import { queryCheck } from "./fields.ts";
import { describeFault } from "./frame_schema.ts";
import { toFault } from "./value_check.ts";
import { PLAIN_FRAME, type PlainFrame } from "./plain_frame.ts";

// An error repeats the id, so that a long id would be sent back to its client.
const MAX_ID_LENGTH = 256;

/** The plain dialect; PROTOCOL.md describes it. */
export const plain: Dialect = {
  name: "plain",
  decode(data): Incoming {
    try {
      return decode(data);
    } catch (error) {
      return toInvalid(undefined, error);
    }
  },
  encodeResponse,
  encodeLongResponse,
  encodeError: (id: ExchangeId, error: ProxyError) =>
    assemble(id, [
      `"error":${JSON.stringify(error.message)}`,
      `"code":"${error.code}"`,
    ]),
  encodeConnectionFrame: () => undefined,
};

function decode(data: string | ArrayBuffer): Incoming {
  if (typeof data !== "string") {
    throw new ProxyError(
      "bad_frame",
      "The plain dialect has no binary frames; send one JSON object",
    );
  }
  const value = parseObject(data);
  const id = typeof value.id === "string" || typeof value.id === "number"
    ? sliceMember(data, "id")?.trim()
    : undefined;
  if (id !== undefined && id.length > MAX_ID_LENGTH) {
    throw new ProxyError("bad_request", `"id" must be at most ${MAX_ID_LENGTH} characters of JSON`);
  }
  try {
    if (!PLAIN_FRAME.accepts(value)) {
      throw new ProxyError("bad_request", PLAIN_FRAME.describe(value));
    }
    return { type: "request", id, request: toRequest(value, data) };
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
    decode: true,
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
  if (queryCheck.accepts(data)) return addQuery(target, data);
  const { path, message } = queryCheck.find(data) ?? toFault("is not valid");
  throw new ProxyError("bad_request", describeFault({ path: ["data", ...path], message }));
}

/** Joins repeated fields, except `set-cookie`, whose values become a list (RFC 9110 §5.3). */
function toHeaderObject(pairs: HeaderPairs): Record<string, string | readonly string[]> {
  // Without a prototype, because `__proto__` is a valid field name.
  const fields: Record<string, string | readonly string[]> = Object.create(null);
  for (const [name, value] of pairs) {
    const before = fields[name];
    if (before === undefined) fields[name] = value;
    else if (name === "set-cookie") fields[name] = [before, value].flat();
    else fields[name] = `${before}, ${value}`;
  }
  return fields;
}

function encodeResponse(id: ExchangeId, { response }: WholeResponse): string {
  const { headers, body } = response;
  const head = encodeHead(response);
  if (body === null) return assemble(id, [...head, '"content":null']);
  const { kind, value } = formBody(toFrameBody(body, headers));
  return assemble(id, [...head, ...encodeKind(kind), `"content":${value}`]);
}

function* encodeLongResponse(
  id: ExchangeId,
  whole: WholeResponse,
): Generator<undefined, string> {
  const { headers, body } = whole.response;
  if (body === null) return encodeResponse(id, whole);
  const { kind, pieces } = yield* formBodyInSteps(toFrameBody(body, headers));
  const start = assemble(id, [...encodeHead(whole.response), ...encodeKind(kind), '"content":']);
  return yield* joinInSteps([start.slice(0, -1), ...pieces, "}"]);
}

function encodeHead({ status, headers }: HttpResponse): readonly string[] {
  return [`"status_code":${status}`, `"headers":${JSON.stringify(toHeaderObject(headers))}`];
}

function encodeKind(kind: BodyForm["kind"]): readonly string[] {
  return kind === "base64" ? ['"encoding":"base64"'] : [];
}

function toFrameBody(bytes: Uint8Array, headers: HeaderPairs): FrameBody {
  return { bytes, contentType: contentTypeOf(headers) };
}

function assemble(id: ExchangeId, members: readonly string[]): string {
  return `{${[...(id === undefined ? [] : [`"id":${id}`]), ...members].join(",")}}`;
}

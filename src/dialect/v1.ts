/**
 * The dialect of the subprotocol wsfetch.v1.
 *
 * @module
 */
import {
  type ClientFrame,
  decodeChunk,
  decodeRequest,
  encodeChunk,
  encodeResponse,
  encodeStreamedResponse,
  ProxyError,
  type RequestFrame,
  SUBPROTOCOL,
  toErrorFrame,
  type WholeResponse,
} from "../protocol/mod.ts";
import { isRequestFrame } from "./accept.ts";
import {
  type ConnectionFrame,
  type Dialect,
  type ExchangeId,
  type Incoming,
  parseObject,
  toInvalid,
} from "./dialect.ts";
import { clientFrameSchema, describeIssues, idSchema } from "./schema.ts";

const TYPES = [
  "request",
  "cancel",
  "grant",
  "ping",
  "auth",
] as const satisfies readonly ClientFrame["type"][];

/** wsfetch.v1 as PROTOCOL.md has it. */
export const v1: Dialect = {
  name: SUBPROTOCOL,
  decode(data): Incoming {
    try {
      return decode(data);
    } catch (error) {
      return toInvalid(undefined, error);
    }
  },
  encodeResponse: (id: ExchangeId, whole: WholeResponse) =>
    encodeResponse(toNumber(id) ?? 0, whole),
  encodeError: (id: ExchangeId, error: ProxyError, requestId?: string) =>
    JSON.stringify(toErrorFrame(error, toNumber(id), requestId)),
  encodeConnectionFrame: (frame: ConnectionFrame) => JSON.stringify(frame),
  stream: {
    encodeHead: encodeStreamedResponse,
    encodePart: (part, scratch) =>
      "type" in part ? JSON.stringify(part) : encodeChunk(part, scratch),
  },
};

function decode(data: string | ArrayBuffer): Incoming {
  if (typeof data !== "string") return { type: "chunk", chunk: decodeChunk(data) };
  const value = parseObject(data);
  if (isRequestFrame(value)) return toRequest(value, data);
  if (!TYPES.some((type) => type === value.type)) {
    throw new ProxyError(
      "bad_frame",
      `"type" must be one of ${TYPES.map((type) => `"${type}"`).join(", ")}`,
    );
  }
  const { success, data: frame, error } = clientFrameSchema.safeParse(value);
  if (!success) return invalid(value, describeIssues(error));
  return frame.type === "request" ? toRequest(frame, data) : frame;
}

function toRequest(frame: RequestFrame, text: string): Incoming {
  const { id } = frame;
  try {
    return { type: "request", id, request: decodeRequest(frame, text) };
  } catch (error) {
    return toInvalid(id, error);
  }
}

/** A malformed request ends its exchange; a malformed frame of another type must not end one. */
function invalid(value: Record<string, unknown>, message: string): Incoming {
  const id = idSchema.safeParse(value.id);
  return {
    type: "invalid",
    id: value.type === "request" && id.success ? id.data : undefined,
    error: new ProxyError("bad_request", message),
  };
}

function toNumber(id: ExchangeId): number | undefined {
  return typeof id === "number" ? id : undefined;
}

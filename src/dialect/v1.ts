/**
 * The dialect of the subprotocol wsfetch.v1.
 *
 * @module
 */
import {
  type ClientFrame,
  decodeRequest,
  encodeResponse,
  type HttpResponse,
  ProxyError,
  SUBPROTOCOL,
  type Timing,
  toErrorFrame,
} from "../protocol/mod.ts";
import {
  type ConnectionFrame,
  type Dialect,
  type ExchangeId,
  type Incoming,
  orInvalid,
  parseObject,
} from "./dialect.ts";
import { clientFrameSchema, describeIssues, idSchema } from "./schema.ts";

const TYPES = ["request", "cancel", "ping"] as const satisfies readonly ClientFrame["type"][];

// The id and the flags of a binary chunk.
const CHUNK_HEAD_BYTES = 5;

/** wsfetch.v1 as PROTOCOL.md has it. */
export const v1: Dialect = {
  name: SUBPROTOCOL,
  subprotocol: SUBPROTOCOL,
  decode: (data) => orInvalid(undefined, () => decode(data)),
  encodeResponse: (id: ExchangeId, response: HttpResponse, timing: Timing) =>
    encodeResponse(toNumber(id) ?? 0, response, timing),
  encodeError: (id: ExchangeId, error: ProxyError) =>
    JSON.stringify(toErrorFrame(error, toNumber(id))),
  encodeConnectionFrame: (frame: ConnectionFrame) => JSON.stringify(frame),
};

function decode(data: string | ArrayBuffer): Incoming {
  if (typeof data !== "string") return decodeChunk(data);
  const value = parseObject(data);
  if (!TYPES.some((type) => type === value.type)) {
    throw new ProxyError(
      "bad_frame",
      `"type" must be one of ${TYPES.map((type) => `"${type}"`).join(", ")}`,
    );
  }
  const { success, data: frame, error } = clientFrameSchema.safeParse(value);
  if (!success) return invalid(value, describeIssues(error));
  if (frame.type !== "request") return frame;
  return orInvalid(frame.id, () => {
    const request = decodeRequest(frame, data);
    return { type: "request", id: frame.id, request };
  });
}

// No exchange takes its body in chunks yet, so that a chunk's exchange is never in flight.
function decodeChunk({ byteLength }: ArrayBuffer): Incoming {
  if (byteLength >= CHUNK_HEAD_BYTES) return { type: "stale" };
  throw new ProxyError("bad_frame", "A binary frame needs 4 bytes of id and 1 byte of flags");
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

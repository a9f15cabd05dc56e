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
  ProxyError,
  type RequestFrame,
  SUBPROTOCOL,
  toErrorFrame,
  type WholeResponse,
} from "../protocol/mod.ts";
import { CLIENT_FRAMES, exchangeIdCheck } from "./client_frames.ts";
import {
  type ConnectionFrame,
  type Dialect,
  type ExchangeId,
  type Incoming,
  parseObject,
  toInvalid,
} from "./dialect.ts";
import { encodeEventInSteps } from "./event_frame.ts";
import { encodeResponse, encodeResponseInSteps, encodeStreamedResponse } from "./response_frame.ts";

const TYPES = Object.keys(CLIENT_FRAMES).map((type) => `"${type}"`).join(", ");

/** The schema of each type of frame; a `type` that a client sends can be any value. */
const SCHEMAS: ReadonlyMap<unknown, (typeof CLIENT_FRAMES)[ClientFrame["type"]]> = new Map(
  Object.entries(CLIENT_FRAMES),
);

/** The dialect wsfetch.v1; PROTOCOL.md describes it. */
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
  encodeLongResponse: (id: ExchangeId, whole: WholeResponse) =>
    encodeResponseInSteps(toNumber(id) ?? 0, whole),
  encodeError: (id: ExchangeId, error: ProxyError, requestId?: string) =>
    JSON.stringify(toErrorFrame(error, toNumber(id), requestId)),
  encodeConnectionFrame: (frame: ConnectionFrame) => JSON.stringify(frame),
  stream: {
    encodeHead: encodeStreamedResponse,
    encodeLongEvent: encodeEventInSteps,
    encodePart: (part, scratch) =>
      "type" in part ? JSON.stringify(part) : encodeChunk(part, scratch),
  },
};

function decode(data: string | ArrayBuffer): Incoming {
  if (typeof data !== "string") return { type: "chunk", chunk: decodeChunk(data) };
  const value = parseObject(data, "json");
  const schema = SCHEMAS.get(value.type);
  if (schema === undefined) throw new ProxyError("bad_frame", `"type" must be one of ${TYPES}`);
  if (!schema.accepts(value)) return toInvalidFrame(value, schema.describe(value));
  return value.type === "request" ? toRequest(value, data) : value;
}

function toRequest(frame: RequestFrame, text: string): Incoming {
  const { id } = frame;
  try {
    return { type: "request", id, request: decodeRequest(frame, text) };
  } catch (error) {
    return toInvalid(id, error);
  }
}

/** An invalid request ends its exchange; an invalid frame of another type must not end an exchange. */
function toInvalidFrame({ type, id }: Record<string, unknown>, message: string): Incoming {
  return {
    type: "invalid",
    id: type === "request" && exchangeIdCheck.accepts(id) ? id : undefined,
    error: new ProxyError("bad_request", message),
  };
}

function toNumber(id: ExchangeId): number | undefined {
  return typeof id === "number" ? id : undefined;
}

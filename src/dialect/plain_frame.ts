/**
 * The schema of the only frame of the plain dialect that a client sends.
 *
 * @module
 */
import type { HeaderFields } from "../protocol/mod.ts";
import { headerFields, method } from "./fields.ts";
import { FrameSchema } from "./frame_schema.ts";
import {
  anyValue,
  customValue,
  optionalMember,
  requiredMember,
  stringValue,
  toFault,
  type ValueCheck,
} from "./member.ts";

/** A request in the plain dialect. */
export interface PlainFrame {
  /** An absolute http or https URL, or `name:/path` for a path below a named upstream. */
  readonly url: string;
  /** The HTTP method; the server converts it to upper case. */
  readonly method: string;
  /** With GET and HEAD, parameters to append to the query; else the body: a string, or any other JSON value. */
  readonly data?: unknown;
  /** The header fields of the request. */
  readonly headers?: HeaderFields;
  /** A string or a number that the server returns as it is written. */
  readonly id?: string | number;
}

const notAnId = toFault("must be a string or a number");

// A number may be one that JavaScript cannot represent: it is returned as text.
const plainId: ValueCheck<string | number> = customValue(
  (value) => typeof value === "string" || typeof value === "number" ? undefined : notAnId,
  { type: ["string", "number"] },
);

/** The schema of a request in the plain dialect. */
export const PLAIN_FRAME = new FrameSchema<PlainFrame>("A request in the plain dialect.", {
  url: requiredMember(
    stringValue(),
    "An absolute http or https URL, or `name:/path` for a path below a named upstream.",
  ),
  method: requiredMember(method, "The HTTP method; the server converts it to upper case."),
  data: optionalMember(
    anyValue(),
    "With GET and HEAD, parameters to append to the query; else the body: a string, or any other JSON " +
      "value.",
  ),
  headers: optionalMember(headerFields, "The header fields of the request."),
  id: optionalMember(plainId, "A string or a number that the server returns as it is written."),
});

/**
 * The zod schemas of what a client may send, exactly equal in type to protocol/frames.ts, and what to
 * tell a client whose frame does not fit.
 *
 * @module
 */
import * as z from "zod";
import { MAX_ID, type RequestFrame } from "../protocol/mod.ts";
import {
  describeToken,
  type Fault,
  findHeadersFault,
  findQueryFault,
  type HeadersField,
  type QueryField,
} from "./fields.ts";

// An error names at most so many faults, and quotes so much of a name, however much is wrong.
const MAX_ISSUES = 5;
const MAX_QUOTED_LENGTH = 64;

// What is sent back without an exchange around it is kept small: RFC 6455 §5.5 has 125 bytes for a ping.
const MAX_PING_LENGTH = 125;

/** The longest JSON text of a plain frame's `id`, in characters. */
export const MAX_PLAIN_ID_LENGTH = 256;

/** What to say of a field that is missing, and of one that has the wrong form. */
function must(form: string): { readonly error: (issue: { readonly input?: unknown }) => string } {
  return { error: ({ input }) => input === undefined ? "is missing" : `must ${form}` };
}

/** The `id` of an exchange. */
export const idSchema = z.number(must(`be an integer from 1 to ${MAX_ID}`)).refine(
  (id) => Number.isInteger(id) && id >= 1 && id <= MAX_ID,
  `must be an integer from 1 to ${MAX_ID}`,
);

const token = z.custom<string>((value) => describeToken(value) === undefined, {
  error: ({ input }) => input === undefined ? "is missing" : describeToken(input) ?? "",
});

/** Anything of a type, less what `find` finds wrong with it. */
function checked<Value>(find: (value: unknown) => Fault | undefined): z.ZodCustom<Value, Value> {
  return z.custom<Value>().superRefine((value, context) => {
    const fault = find(value);
    if (fault !== undefined) context.addIssue({ code: "custom", ...fault, path: [...fault.path] });
  });
}

/** Header fields, as pairs or as an object. */
export const headersSchema = checked<HeadersField>(findHeadersFault);

/** Query parameters. */
export const querySchema = checked<QueryField>(findQueryFault);

const BODY_FIELDS = ["json", "text", "base64", "bodyFollows"] as const;

/** {@linkcode RequestFrame} */
export const requestSchema = z.strictObject({
  type: z.literal("request"),
  id: idSchema,
  url: z.string(must("be a string")).exactOptional(),
  upstream: z.string(must("be a string")).exactOptional(),
  path: z.string(must("be a string")).exactOptional(),
  method: token.exactOptional(),
  headers: headersSchema.exactOptional(),
  query: querySchema.exactOptional(),
  json: z.unknown().exactOptional(),
  text: z.string(must("be a string")).exactOptional(),
  base64: z.string(must("be a string")).exactOptional(),
  bodyFollows: z.literal(true, "must be true or absent").exactOptional(),
  timeoutMs: z.int("must be a whole number of milliseconds").min(1, "must be at least 1")
    .exactOptional(),
  redirect: z.enum(["follow", "manual", "error"], 'must be "follow", "manual" or "error"')
    .exactOptional(),
  stream: z.union(
    [z.boolean(), z.enum(["events", "lines"])],
    'must be a boolean, "events" or "lines"',
  ).exactOptional(),
  windowBytes: z.int("must be a whole number of bytes").min(0, "must be at least 0")
    .exactOptional(),
}).readonly().superRefine((frame, context) => {
  const fault = findTargetFault(frame);
  if (fault !== undefined) context.addIssue({ code: "custom", ...fault, path: [...fault.path] });
  const bodies = BODY_FIELDS.filter((name) => frame[name] !== undefined);
  if (bodies.length > 1) {
    context.addIssue({
      code: "custom",
      path: [bodies[0] ?? ""],
      message: `cannot stand beside "${bodies[1]}": a request has one body`,
    });
  }
  if (frame.windowBytes !== undefined && frame.stream !== true) {
    context.addIssue({
      code: "custom",
      path: ["windowBytes"],
      message: 'means something only with "stream": true',
    });
  }
});

/** A request goes to a URL, or to a path of an upstream. */
function findTargetFault(
  { url, upstream, path }: Pick<RequestFrame, "url" | "upstream" | "path">,
): Fault | undefined {
  if (url !== undefined) {
    const other = upstream !== undefined ? "upstream" : path !== undefined ? "path" : undefined;
    return other && { path: [other], message: 'cannot stand beside "url": a request goes one way' };
  }
  if (upstream !== undefined) {
    return path === undefined ? { path: ["path"], message: "is missing" } : undefined;
  }
  return { path: [path === undefined ? "url" : "upstream"], message: "is missing" };
}

/** {@linkcode CancelFrame} */
export const cancelSchema = z.strictObject({ type: z.literal("cancel"), id: idSchema }).readonly();

/** {@linkcode GrantFrame} */
export const grantSchema = z.strictObject({
  type: z.literal("grant"),
  id: idSchema,
  bytes: z.int("must be a whole number of bytes").min(1, "must be at least 1"),
}).readonly();

/** {@linkcode PingFrame} */
export const pingSchema = z.strictObject({
  type: z.literal("ping"),
  data: z.string(must("be a string")).max(
    MAX_PING_LENGTH,
    `must be at most ${MAX_PING_LENGTH} characters`,
  )
    .exactOptional(),
}).readonly();

/** {@linkcode AuthFrame} */
export const authSchema = z.strictObject({
  type: z.literal("auth"),
  token: z.string(must("be a string")),
}).readonly();

/** {@linkcode ClientFrame} */
export const clientFrameSchema = z.discriminatedUnion("type", [
  requestSchema,
  cancelSchema,
  grantSchema,
  pingSchema,
  authSchema,
]);

/** A frame of the plain dialect. */
export const plainFrameSchema = z.strictObject({
  url: z.string(must("be a string")),
  method: token,
  data: z.unknown().exactOptional(),
  headers: headersSchema.exactOptional(),
  // Any number that JSON can write: it is handed back as text.
  id: z.custom<string | number>(
    (id) => typeof id === "string" || typeof id === "number",
    "must be a string or a number",
  ).exactOptional(),
}).readonly();

/** A frame of the plain dialect. */
export type PlainFrame = z.output<typeof plainFrameSchema>;

/** Says what is wrong with a frame, naming each field: `"url" is missing`. */
export function describeIssues(error: z.core.$ZodError): string {
  return error.issues.slice(0, MAX_ISSUES).map(describeIssue).join("; ");
}

function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code !== "unrecognized_keys") return `${quotePath(issue.path)} ${issue.message}`;
  const names = issue.keys.slice(0, MAX_ISSUES).map((key) => quotePath([...issue.path, key]));
  return `${names.join(", ")} ${names.length > 1 ? "are" : "is"} not known here`;
}

/** Quotes the path of a field: `"headers.x-a"`. */
export function quotePath(path: readonly PropertyKey[]): string {
  const name = path.map(String).join(".");
  return JSON.stringify(
    name.length <= MAX_QUOTED_LENGTH ? name : `${name.slice(0, MAX_QUOTED_LENGTH).toWellFormed()}…`,
  );
}

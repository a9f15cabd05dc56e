/**
 * The zod schemas of what a client may send, exactly equal in type to protocol/frames.ts, and what to
 * tell a client whose frame does not fit.
 *
 * @module
 */
import * as z from "zod";
import { MAX_ID } from "../protocol/mod.ts";

const NOT_YET = "is not supported yet";

// An error names at most so many characters, however much of the frame is wrong.
const MAX_MESSAGE_LENGTH = 500;

// What is sent back without an exchange around it is kept small: RFC 6455 §5.5 has 125 bytes for a ping.
const MAX_PING_LENGTH = 125;

/** The longest JSON text of a plain frame's `id`, in characters. */
export const MAX_PLAIN_ID_LENGTH = 256;

/** What to say of a field that is missing, and of one that has the wrong form. */
function must(form: string): { readonly error: (issue: { readonly input?: unknown }) => string } {
  return { error: ({ input }) => input === undefined ? "is missing" : `must ${form}` };
}

/** The `id` of an exchange. */
export const idSchema = z.int(must(`be an integer from 1 to ${MAX_ID}`))
  .min(1, `must be an integer from 1 to ${MAX_ID}`)
  .max(MAX_ID, `must be an integer from 1 to ${MAX_ID}`);

/** A token (RFC 9110 §5.6.2): the form of a method and of a field name. */
const token = z.string(must("be a string")).regex(
  /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
  "must be an HTTP token: letters, digits and !#$%&'*+-.^_`|~",
);

/** A field value (RFC 9110 §5.5): one byte a character, no CR, LF, NUL or other control character. */
const fieldValue = z.string(must("be a string")).regex(
  // deno-lint-ignore no-control-regex -- the tab is the one control character allowed
  /^[\x09\x20-\x7e\x80-\xff]*$/,
  "must hold no control characters and none beyond U+00FF",
);

/** Header fields, as pairs or as an object. */
export const headersSchema = z.union([
  z.array(z.tuple([token, fieldValue], "must be a [name, value] pair").readonly()).readonly(),
  z.record(token, fieldValue).readonly(),
], "must be an object of strings or a list of [name, value] pairs");

const queryValue = z.union(
  [z.string(), z.number(), z.boolean()],
  "must be a string, a number or a boolean",
);

/** Query parameters. */
export const querySchema = z.record(
  z.string(),
  z.union(
    [queryValue, z.array(queryValue).readonly()],
    "must be a string, a number, a boolean or a list of these",
  ),
  "must be an object",
).readonly();

/** {@linkcode RequestFrame} */
export const requestSchema = z.strictObject({
  type: z.literal("request"),
  id: idSchema,
  url: z.string(must("be a string")).exactOptional(),
  upstream: z.string(must("be a string")).refine(() => false, NOT_YET).exactOptional(),
  path: z.string(must("be a string")).refine(() => false, NOT_YET).exactOptional(),
  method: token.exactOptional(),
  headers: headersSchema.exactOptional(),
  query: querySchema.exactOptional(),
  json: z.unknown().exactOptional(),
  text: z.string(must("be a string")).exactOptional(),
  base64: z.string(must("be a string")).exactOptional(),
  bodyFollows: z.literal(true, "must be true or absent").refine(() => false, NOT_YET)
    .exactOptional(),
  timeoutMs: z.int("must be a whole number of milliseconds").min(1, "must be at least 1")
    .exactOptional(),
  redirect: z.enum(["follow", "manual", "error"], 'must be "follow", "manual" or "error"')
    .exactOptional(),
  stream: z.union(
    [z.boolean(), z.enum(["events", "lines"])],
    'must be a boolean, "events" or "lines"',
  ).refine((stream) => stream === false, NOT_YET).exactOptional(),
  windowBytes: z.int("must be a whole number of bytes").refine(() => false, NOT_YET)
    .exactOptional(),
}).readonly().superRefine((frame, context) => {
  if (frame.url === undefined && frame.upstream === undefined) {
    context.addIssue({ code: "custom", path: ["url"], message: "is missing" });
  }
  const bodies = (["json", "text", "base64"] as const).filter((name) => frame[name] !== undefined);
  if (bodies.length > 1) {
    context.addIssue({
      code: "custom",
      path: [bodies[0] ?? ""],
      message: `cannot stand beside "${bodies[1]}": a request has one body`,
    });
  }
});

/** {@linkcode CancelFrame} */
export const cancelSchema = z.strictObject({ type: z.literal("cancel"), id: idSchema }).readonly();

/** {@linkcode PingFrame} */
export const pingSchema = z.strictObject({
  type: z.literal("ping"),
  data: z.string(must("be a string")).max(
    MAX_PING_LENGTH,
    `must be at most ${MAX_PING_LENGTH} characters`,
  )
    .exactOptional(),
}).readonly();

/** {@linkcode ClientFrame} */
export const clientFrameSchema = z.discriminatedUnion("type", [
  requestSchema,
  cancelSchema,
  pingSchema,
]);

/** A frame of the plain dialect. */
export const plainFrameSchema = z.strictObject({
  url: z.string(must("be a string")),
  method: token,
  data: z.unknown().exactOptional(),
  headers: headersSchema.exactOptional(),
  id: z.union([z.string(), z.number()], "must be a string or a number").exactOptional(),
}).readonly();

/** A frame of the plain dialect. */
export type PlainFrame = z.output<typeof plainFrameSchema>;

/** Says everything that is wrong with a frame, naming each field: `"url" is missing`. */
export function describeIssues(error: z.core.$ZodError): string {
  const message = error.issues.map((issue) => describeIssue(issue, [])).join("; ");
  return message.length <= MAX_MESSAGE_LENGTH
    ? message
    : `${message.slice(0, MAX_MESSAGE_LENGTH).toWellFormed()}…`;
}

function describeIssue(issue: z.core.$ZodIssue, parents: readonly PropertyKey[]): string {
  const path = [...parents, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    const names = issue.keys.map((key) => quote([...path, key])).join(", ");
    return `${names} ${issue.keys.length > 1 ? "are" : "is"} not known here`;
  }
  const deeper = deepestIssue(issue);
  if (deeper !== undefined) return describeIssue(deeper, path);
  return `${quote(path)} ${issue.message}`;
}

/** The issue inside that says more: of a union, of the branch that went deepest into the value. */
function deepestIssue(issue: z.core.$ZodIssue): z.core.$ZodIssue | undefined {
  if (issue.code === "invalid_key") return issue.issues[0];
  if (issue.code !== "invalid_union") return undefined;
  const firsts = issue.errors.flatMap((branch) => branch.slice(0, 1));
  return firsts.find(({ path }) => path.length > 0);
}

function quote(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String).join("."));
}

/**
 * The schema of a frame as JSON Schema, for tools and for clients in other languages.
 *
 * @module
 */
import { CLIENT_FRAMES } from "./client_frames.ts";
import type { FrameSchema } from "./frame_schema.ts";
import { PLAIN_FRAME } from "./plain_frame.ts";
import type { FrameMember } from "./member.ts";
import type { JsonSchema } from "./value_check.ts";

/** Returns the JSON Schemas of all frames that a client sends, by type, and of the plain dialect's as `plain`. */
export function toJsonSchemas(): Readonly<Record<string, JsonSchema>> {
  return {
    ...Object.fromEntries(
      Object.entries<FrameSchema<unknown>>(CLIENT_FRAMES)
        .map(([type, schema]) => [type, toJsonSchema(schema)]),
    ),
    plain: toJsonSchema(PLAIN_FRAME),
  };
}

/**
 * Returns the schema of a frame as JSON Schema (draft 2020-12).
 *
 * A frame that the schema accepts can still be refused for what JSON Schema cannot express: a URL that does
 * not parse, a body with GET, or more than 1000 query parameters in several lists.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { CLIENT_FRAMES } from "./client_frames.ts";
 * import { toJsonSchema } from "./json_schema.ts";
 *
 * const { required } = toJsonSchema(CLIENT_FRAMES.grant);
 * assertEquals(required, ["type", "id", "bytes"]);
 * ```
 */
export function toJsonSchema<Frame>(
  { description, members, rules }: FrameSchema<Frame>,
): JsonSchema {
  const entries = Object.entries<FrameMember>(members);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    description,
    type: "object",
    properties: Object.fromEntries(entries.map(([name, { schema }]) => [name, schema])),
    required: entries.filter(([, { isOptional }]) => !isOptional).map(([name]) => name),
    additionalProperties: false,
    ...(rules.length > 0 && { allOf: rules.map(({ schema }) => schema) }),
  };
}

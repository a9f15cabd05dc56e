/**
 * The schema of a frame as JSON Schema, for tools and for clients in other languages.
 *
 * @module
 */
import type { FrameSchema } from "./frame_schema.ts";
import type { FrameMember, JsonSchema } from "./member.ts";

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

/**
 * A member of a frame: the values that it may have, and whether a frame may omit it.
 *
 * @module
 */
import type { Fault, JsonSchema, ValueCheck } from "./value_check.ts";

/** A member of a frame. */
export interface FrameMember {
  /** Whether a frame may omit the member. */
  readonly isOptional: boolean;
  readonly check: { find(value: unknown): Fault | undefined };
  readonly schema: JsonSchema;
}

/** A {@linkcode FrameMember} with values of one type, which includes `undefined` if the member is optional. */
export interface TypedMember<Value> extends FrameMember {
  /** Never present; makes the compiler distinguish members of different types. */
  readonly values?: (value: Value) => Value;
}

/** Returns a member that every frame must have. */
export function requiredMember<Value>(
  check: ValueCheck<Value>,
  description: string,
): TypedMember<Value> {
  return { isOptional: false, check, schema: { description, ...check.schema } };
}

/** Returns a member that a frame may omit. */
export function optionalMember<Value>(
  check: ValueCheck<Value>,
  description: string,
): TypedMember<Value | undefined> {
  return { isOptional: true, check, schema: { description, ...check.schema } };
}

/** Returns a member that a frame may omit; the server then uses `value`, which the description also says. */
export function memberWithDefault<Value>(
  check: ValueCheck<Value>,
  value: NoInfer<Value>,
  description: string,
): TypedMember<Value | undefined> {
  const annotations = { description: `${description} Default: \`${value}\`.`, default: value };
  return { isOptional: true, check, schema: { ...annotations, ...check.schema } };
}

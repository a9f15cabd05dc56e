/**
 * The building blocks of a frame's schema. Each states a set of values once: for the check, for the message
 * about a wrong value, for JSON Schema and for the compiler.
 *
 * @module
 */

/** What is wrong with a value, and where in the value: `must be a string`, at `["x-a"]`. */
export interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** A JSON Schema (draft 2020-12), or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** How a {@linkcode ValueCheck} checks a value. */
interface CheckDefinition {
  readonly type: "any" | "string" | "integer" | "enum" | "custom";
  /** The fault of a value of another type. */
  readonly wrong?: Fault;
  /** The smallest integer. */
  readonly min?: number;
  /** The largest integer, or the largest length of a string. */
  readonly max?: number;
  /** The fault of a value beyond `min` or `max`. */
  readonly outOfRange?: Fault;
  /** The values of an enumeration. */
  readonly values?: readonly unknown[];
  readonly custom?: (value: unknown) => Fault | undefined;
  /** The same set of values as JSON Schema, as far as JSON Schema can express it. */
  readonly schema: JsonSchema;
}

/**
 * A set of values of one type. One class for every kind of set, because V8 inlines only calls that always have
 * the same target, and every member of every frame is checked here.
 */
export class ValueCheck<Value> {
  /** Never present; makes the compiler tell apart checks of different types. */
  declare readonly values?: (value: Value) => Value;
  readonly schema: JsonSchema;
  readonly #type: CheckDefinition["type"];
  readonly #wrong: Fault;
  readonly #min: number;
  readonly #max: number;
  readonly #outOfRange: Fault;
  readonly #values: readonly unknown[];
  readonly #custom: (value: unknown) => Fault | undefined;

  constructor(
    {
      type,
      wrong = toFault("is not valid"),
      min = -Infinity,
      max = Infinity,
      outOfRange = wrong,
      values = [],
      custom = () => undefined,
      schema,
    }: CheckDefinition,
  ) {
    this.schema = schema;
    this.#type = type;
    this.#wrong = wrong;
    this.#min = min;
    this.#max = max;
    this.#outOfRange = outOfRange;
    this.#values = values;
    this.#custom = custom;
  }

  /** Returns what is wrong with a value, or `undefined` if the value is valid. */
  find(value: unknown): Fault | undefined {
    switch (this.#type) {
      case "any":
        return undefined;
      case "string":
        if (typeof value !== "string") return this.#wrong;
        return value.length <= this.#max ? undefined : this.#outOfRange;
      case "integer":
        if (typeof value !== "number" || !Number.isSafeInteger(value)) return this.#wrong;
        return value >= this.#min && value <= this.#max ? undefined : this.#outOfRange;
      case "enum":
        return this.#values.includes(value) ? undefined : this.#wrong;
      case "custom":
        return this.#custom(value);
    }
  }

  /** Reports whether a value is valid. */
  accepts(value: unknown): value is Value {
    return this.find(value) === undefined;
  }
}

/** A {@linkcode ValueCheck} of whatever type. */
export interface AnyCheck {
  find(value: unknown): Fault | undefined;
}

/** A member of a frame. */
export interface FrameMember {
  /** Whether a frame may omit the member. */
  readonly isOptional: boolean;
  readonly check: AnyCheck;
  readonly schema: JsonSchema;
}

/** A {@linkcode FrameMember} with values of one type, which includes `undefined` if the member is optional. */
export interface TypedMember<Value> extends FrameMember {
  /** Never present; makes the compiler tell apart members of different types. */
  readonly values?: (value: Value) => Value;
}

/** Creates a member that every frame must have. */
export function requiredMember<Value>(
  check: ValueCheck<Value>,
  description: string,
): TypedMember<Value> {
  return { isOptional: false, check, schema: { description, ...check.schema } };
}

/** Creates a member that a frame may omit; `byDefault` is the value that the server assumes then. */
export function optionalMember<Value>(
  check: ValueCheck<Value>,
  description: string,
  { byDefault }: { readonly byDefault?: NoInfer<Value> } = {},
): TypedMember<Value | undefined> {
  const annotations = byDefault === undefined
    ? { description }
    : { description, default: byDefault };
  return { isOptional: true, check, schema: { ...annotations, ...check.schema } };
}

/** All JSON values. */
export function anyValue(): ValueCheck<unknown> {
  return new ValueCheck({ type: "any", schema: {} });
}

/** Strings of at most `maxLength` UTF-16 code units. Default: of any length. */
export function stringValue(
  { maxLength: max, ...annotations }: {
    readonly maxLength?: number;
    readonly contentEncoding?: string;
  } = {},
): ValueCheck<string> {
  const wrong = toFault("must be a string");
  if (max === undefined) {
    return new ValueCheck({ type: "string", wrong, schema: { type: "string", ...annotations } });
  }
  const outOfRange = toFault(`must be at most ${max} characters`);
  const schema = { type: "string", maxLength: max, ...annotations };
  return new ValueCheck({ type: "string", wrong, max, outOfRange, schema });
}

/** A few values. */
export function oneOfValues<const Values extends readonly (string | boolean)[]>(
  ...values: Values
): ValueCheck<Values[number]> {
  const texts = values.map((value) => JSON.stringify(value));
  const last = texts.pop();
  const wrong = toFault(`must be ${texts.length > 0 ? `${texts.join(", ")} or ${last}` : last}`);
  return new ValueCheck({ type: "enum", wrong, values, schema: { enum: values } });
}

/** Integers from `min` to `max`. */
export function integerValue(min: number, max: number): ValueCheck<number> {
  const wrong = toFault(`must be an integer from ${min} to ${max}`);
  const schema = { type: "integer", minimum: min, maximum: max };
  return new ValueCheck({ type: "integer", wrong, min, max, schema });
}

/** Integers from `min` to 2^53 - 1 that count `units`, such as bytes. */
export function amountValue(units: string, min: number): ValueCheck<number> {
  const wrong = toFault(`must be a whole number of ${units}`);
  const outOfRange = toFault(`must be at least ${min}`);
  const schema = { type: "integer", minimum: min, maximum: Number.MAX_SAFE_INTEGER };
  return new ValueCheck({ type: "integer", wrong, min, outOfRange, schema });
}

/** Values that a function checks. */
export function customValue<Value>(
  custom: (value: unknown) => Fault | undefined,
  schema: JsonSchema,
): ValueCheck<Value> {
  return new ValueCheck({ type: "custom", custom, schema });
}

/** Returns a fault of a value as a whole. */
export function toFault(message: string): Fault {
  return { path: [], message };
}

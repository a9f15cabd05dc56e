/**
 * The values that a member of a frame may have. A {@linkcode ValueCheck} states a set of values once: for the
 * check, for the message about a wrong value, for JSON Schema and for the compiler.
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

/** The parts of a {@linkcode ValueCheck}. */
interface CheckDefinition {
  readonly type: "any" | "string" | "integer" | "enum" | "custom";
  /** The set of values as JSON Schema, as far as JSON Schema can express it. */
  readonly schema: JsonSchema;
  /** The fault of a value of another type, or of a value that is not in `values`. */
  readonly wrong?: Fault;
  /** The smallest integer. */
  readonly min?: number;
  /** The largest integer, or the largest length of a string. */
  readonly max?: number;
  /** The fault of an integer or a length that is not between `min` and `max`. */
  readonly outOfRange?: Fault;
  /** The values of the type `enum`. */
  readonly values?: readonly unknown[];
  /** The check of the type `custom`. */
  readonly custom?: (value: unknown) => Fault | undefined;
}

/**
 * A set of values of one type. There is a single class for all kinds of sets because V8 inlines only calls that
 * always have the same target, and every member of every frame is checked here.
 */
export class ValueCheck<Value> {
  /** Never present; makes the compiler distinguish checks of different types. */
  declare readonly values?: (value: Value) => Value;
  /** The set of values as JSON Schema, as far as JSON Schema can express it. */
  readonly schema: JsonSchema;
  readonly #type: CheckDefinition["type"];
  readonly #wrong: Fault;
  readonly #min: number;
  readonly #max: number;
  readonly #outOfRange: Fault;
  readonly #values: readonly unknown[];
  readonly #custom: (value: unknown) => Fault | undefined;

  constructor({ type, schema, wrong = toFault("is not valid"), ...rest }: CheckDefinition) {
    this.schema = schema;
    this.#type = type;
    this.#wrong = wrong;
    this.#min = rest.min ?? -Infinity;
    this.#max = rest.max ?? Infinity;
    this.#outOfRange = rest.outOfRange ?? wrong;
    this.#values = rest.values ?? [];
    this.#custom = rest.custom ?? ((): undefined => undefined);
  }

  /** Returns what is wrong with a value, or `undefined` if the value is in the set. */
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

  /** Reports whether a value is in the set. */
  accepts(value: unknown): value is Value {
    return this.find(value) === undefined;
  }
}

/** Returns the set of all JSON values. */
export function anyValue(): ValueCheck<unknown> {
  return new ValueCheck({ type: "any", schema: {} });
}

/** Returns the set of all strings; `annotations` are keywords of JSON Schema. */
export function stringValue(annotations: JsonSchema = {}): ValueCheck<string> {
  const wrong = toFault("must be a string");
  return new ValueCheck({ type: "string", schema: { type: "string", ...annotations }, wrong });
}

/** Returns the set of the strings of at most `max` UTF-16 code units. */
export function shortString(max: number): ValueCheck<string> {
  const wrong = toFault("must be a string");
  const outOfRange = toFault(`must be at most ${max} characters`);
  const schema = { type: "string", maxLength: max };
  return new ValueCheck({ type: "string", schema, wrong, max, outOfRange });
}

/** Returns the set of these values. */
export function oneOfValues<const Values extends readonly (string | boolean)[]>(
  ...values: Values
): ValueCheck<Values[number]> {
  const texts = values.map((value) => JSON.stringify(value));
  const last = texts.pop();
  const wrong = toFault(`must be ${texts.length > 0 ? `${texts.join(", ")} or ${last}` : last}`);
  return new ValueCheck({ type: "enum", schema: { enum: values }, wrong, values });
}

/** Returns the set of the integers from `min` to `max`. */
export function integerValue(min: number, max: number): ValueCheck<number> {
  const wrong = toFault(`must be an integer from ${min} to ${max}`);
  const schema = { type: "integer", minimum: min, maximum: max };
  return new ValueCheck({ type: "integer", schema, wrong, min, max });
}

/** Returns the set of the integers from `min` to 2^53 - 1, as a number of `units` such as bytes. */
export function amountValue(units: string, min: number): ValueCheck<number> {
  const wrong = toFault(`must be a whole number of ${units}`);
  const outOfRange = toFault(`must be at least ${min}`);
  const schema = { type: "integer", minimum: min, maximum: Number.MAX_SAFE_INTEGER };
  return new ValueCheck({ type: "integer", schema, wrong, min, outOfRange });
}

/** Returns the set of the values in which `custom` finds no fault. */
export function customValue<Value>(
  custom: (value: unknown) => Fault | undefined,
  schema: JsonSchema,
): ValueCheck<Value> {
  return new ValueCheck({ type: "custom", schema, custom });
}

/** Returns a fault of a value as a whole. */
export function toFault(message: string): Fault {
  return { path: [], message };
}

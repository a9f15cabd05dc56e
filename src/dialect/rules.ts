/**
 * Rules between the members of a frame: which members exclude or need each other.
 *
 * @module
 */
import type { Fault, JsonSchema } from "./member.ts";

interface RuleDefinition {
  /** The members that the rule is about, one bit for each. */
  readonly bits: number;
  /** The sets of these members that a frame may have. */
  readonly allowed: readonly number[];
  /** Returns what is wrong with a frame that has another set of them. */
  readonly explain: (found: number) => Fault;
  /** What a frame with any of these members must have besides. */
  readonly condition?: { readonly name: string; readonly value: unknown };
  /** The same rule as JSON Schema. */
  readonly schema: JsonSchema;
}

/** A rule between the members of a frame. */
export class FrameRule {
  readonly schema: JsonSchema;
  readonly #bits: number;
  readonly #allowed: readonly number[];
  readonly #explain: (found: number) => Fault;
  readonly #condition: RuleDefinition["condition"];

  constructor({ bits, allowed, explain, condition, schema }: RuleDefinition) {
    this.schema = schema;
    this.#bits = bits;
    this.#allowed = allowed;
    this.#explain = explain;
    this.#condition = condition;
  }

  /**
   * Returns what is wrong with a frame, or `undefined` if the frame follows the rule.
   *
   * @param present The set of members that the frame has, one bit for each.
   */
  find(present: number, frame: Readonly<Record<string, unknown>>): Fault | undefined {
    const found = present & this.#bits;
    const condition = this.#condition;
    if (!this.#allowed.includes(found)) return this.#explain(found);
    if (condition === undefined || found === 0) return undefined;
    return frame[condition.name] === condition.value ? undefined : this.#explain(found);
  }
}

/** Creates a rule of a schema, given the bit of each member of the schema. */
export type CreateRule<Name extends string> = (bitOf: (name: Name) => number) => FrameRule;

/**
 * Creates the rule that a frame has all members of exactly one combination and none of the other members
 * that are named here. With an empty combination, a frame may have none of them.
 *
 * @param reason Why the members exclude each other, for the message to the client.
 */
export function oneCombination<const Name extends string>(
  reason: string,
  ...combinations: readonly (readonly Name[])[]
): CreateRule<Name> {
  const names = [...new Set(combinations.flat())];
  return (bitOf) => {
    const toBits = (list: readonly Name[]): number =>
      list.reduce((bits, name) => bits | bitOf(name), 0);
    return new FrameRule({
      bits: toBits(names),
      allowed: combinations.map(toBits),
      explain(found) {
        const has = (name: Name): boolean => (found & bitOf(name)) !== 0;
        const started = combinations.find((list) => (found & ~toBits(list)) === 0);
        if (started !== undefined) {
          return { path: started.filter((name) => !has(name)).slice(0, 1), message: "is missing" };
        }
        const [first = "", second = ""] = names.filter(has);
        return { path: [first], message: `cannot be combined with "${second}": ${reason}` };
      },
      schema: {
        oneOf: combinations.map((list) => ({
          required: list,
          properties: Object.fromEntries(
            names.filter((name) => !list.includes(name)).map((name) => [name, false]),
          ),
        })),
      },
    });
  };
}

/** Creates the rule that a frame may have the member `name` only if the member `other` has this value. */
export function onlyWith<const Name extends string>(
  name: Name,
  other: Name,
  value: string | boolean,
): CreateRule<Name> {
  return (bitOf) => {
    const bits = bitOf(name);
    const message = `requires ${JSON.stringify(other)}: ${JSON.stringify(value)}`;
    return new FrameRule({
      bits,
      allowed: [0, bits],
      condition: { name: other, value },
      explain: () => ({ path: [name], message }),
      schema: {
        dependentSchemas: {
          [name]: { required: [other], properties: { [other]: { const: value } } },
        },
      },
    });
  };
}

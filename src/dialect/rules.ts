/**
 * Rules between the members of a frame: which members exclude or need each other.
 *
 * @module
 */
import type { Fault, JsonSchema } from "./value_check.ts";

/** The parts of a {@linkcode FrameRule}. A set of members has one bit for each member. */
interface RuleDefinition {
  /** The set of members that the rule is about. */
  readonly members: number;
  /** The subsets of `members` that a frame may have. */
  readonly allowed: readonly number[];
  /** A member, with its value, that a frame with any of `members` must have. */
  readonly condition?: { readonly name: string; readonly value: unknown };
  /** Returns what is wrong with a frame that has the subset `found` and breaks the rule. */
  readonly explain: (found: number) => Fault;
  /** The same rule as JSON Schema. */
  readonly schema: JsonSchema;
}

/** A rule between the members of a frame. */
export class FrameRule {
  /** The same rule as JSON Schema. */
  readonly schema: JsonSchema;
  readonly #members: number;
  readonly #allowed: readonly number[];
  readonly #condition: RuleDefinition["condition"];
  readonly #explain: (found: number) => Fault;

  constructor({ members, allowed, condition, explain, schema }: RuleDefinition) {
    this.schema = schema;
    this.#members = members;
    this.#allowed = allowed;
    this.#condition = condition;
    this.#explain = explain;
  }

  /**
   * Returns what is wrong with a frame, or `undefined` if the frame follows the rule.
   *
   * @param present The set of members that the frame has.
   */
  find(present: number, frame: Readonly<Record<string, unknown>>): Fault | undefined {
    const found = present & this.#members;
    if (!this.#allowed.includes(found)) return this.#explain(found);
    const condition = this.#condition;
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
    const toSet = (list: readonly Name[]): number =>
      list.reduce((bits, name) => bits | bitOf(name), 0);
    return new FrameRule({
      members: toSet(names),
      allowed: combinations.map(toSet),
      explain(found): Fault {
        const has = (name: Name): boolean => (found & bitOf(name)) !== 0;
        const incomplete = combinations.find((list) => (found & ~toSet(list)) === 0);
        if (incomplete !== undefined) {
          const missing = incomplete.filter((name) => !has(name));
          return { path: missing.slice(0, 1), message: "is missing" };
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
    const bit = bitOf(name);
    const message = `requires ${JSON.stringify(other)}: ${JSON.stringify(value)}`;
    return new FrameRule({
      members: bit,
      allowed: [0, bit],
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

/**
 * The schema of a frame: its members and the rules between them. Accepts a valid frame without allocating
 * anything, and says what is wrong with any other.
 *
 * @module
 */
import type { FrameMember, TypedMember } from "./member.ts";
import type { CreateRule, FrameRule } from "./rules.ts";
import { type Fault, toFault } from "./value_check.ts";

/**
 * The members of a frame, by name. The compiler refuses a name that is missing or unknown, a value of another
 * type, and an optional member that is declared as required or the reverse.
 */
export type FrameMembers<Frame> = {
  readonly [Name in keyof Frame]-?: TypedMember<Frame[Name]>;
};

// Limits for the length of a message, whatever the client sends.
const MAX_FAULTS = 5;
const MAX_QUOTED_LENGTH = 64;

/** A member with its name, and with the bit that represents it in a set of members. */
interface Row extends FrameMember {
  readonly name: string;
  readonly bit: number;
}

const MISSING = toFault("is missing");

/** The schema of a type of frame with at most 31 members. */
export class FrameSchema<Frame> {
  readonly description: string;
  readonly members: FrameMembers<Frame>;
  readonly rules: readonly FrameRule[];
  readonly #rows: ReadonlyMap<string, Row>;
  /** The bits of the members that every frame has. */
  readonly #required: number;

  /**
   * @param description What the frame means, for JSON Schema.
   * @param rules The rules between members; they are checked only if each member is valid.
   */
  constructor(
    description: string,
    members: FrameMembers<Frame>,
    rules: readonly CreateRule<keyof Frame & string>[] = [],
  ) {
    const rows = Object.entries<FrameMember>(members)
      .map(([name, member], index): Row => ({ ...member, name, bit: 1 << index }));
    this.#rows = new Map(rows.map((row) => [row.name, row]));
    this.#required = rows.reduce((bits, { bit, isOptional }) => isOptional ? bits : bits | bit, 0);
    this.description = description;
    this.members = members;
    this.rules = rules.map((create) => create((name) => this.#rows.get(name)?.bit ?? 0));
  }

  /** Reports whether a JSON object is a valid frame. */
  accepts(
    value: Readonly<Record<string, unknown>>,
  ): value is Readonly<Record<string, unknown>> & Frame {
    let present = 0;
    for (const name in value) {
      const row = this.#rows.get(name);
      if (row === undefined || row.check.find(value[name]) !== undefined) return false;
      present |= row.bit;
    }
    if ((present & this.#required) !== this.#required) return false;
    for (const rule of this.rules) if (rule.find(present, value) !== undefined) return false;
    return true;
  }

  /** Returns what is wrong with a JSON object, naming each member: `"url" is missing`. */
  describe(value: Readonly<Record<string, unknown>>): string {
    const members = this.#describeMembers(value);
    const rules = members.length === 0 ? this.#describeRules(value) : [];
    return [...members, ...this.#describeUnknown(value), ...rules].slice(0, MAX_FAULTS).join("; ");
  }

  #describeMembers(value: Readonly<Record<string, unknown>>): string[] {
    const messages: string[] = [];
    for (const { name, isOptional, check } of this.#rows.values()) {
      const member = value[name];
      if (member === undefined && isOptional) continue;
      const fault = member === undefined ? MISSING : check.find(member);
      if (fault === undefined) continue;
      messages.push(describeFault({ ...fault, path: [name, ...fault.path] }));
    }
    return messages;
  }

  #describeUnknown(value: Readonly<Record<string, unknown>>): string[] {
    const names = Object.keys(value).filter((name) => !this.#rows.has(name))
      .slice(0, MAX_FAULTS).map((name) => quotePath([name]));
    if (names.length === 0) return [];
    const are = names.length > 1 ? "are not members" : "is not a member";
    return [`${names.join(", ")} ${are} of this frame`];
  }

  #describeRules(value: Readonly<Record<string, unknown>>): string[] {
    let present = 0;
    for (const name in value) present |= this.#rows.get(name)?.bit ?? 0;
    const faults = this.rules.map((rule) => rule.find(present, value));
    return faults.filter((fault) => fault !== undefined).map(describeFault);
  }
}

/** Returns a fault as a message: `"headers.x-a" must be a string`. */
export function describeFault({ path, message }: Fault): string {
  return `${quotePath(path)} ${message}`;
}

function quotePath(path: Fault["path"]): string {
  const name = path.join(".");
  return JSON.stringify(
    name.length <= MAX_QUOTED_LENGTH ? name : `${name.slice(0, MAX_QUOTED_LENGTH).toWellFormed()}…`,
  );
}

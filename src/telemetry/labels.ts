/**
 * Values of metric labels: of each label so many and no more, whatever comes in.
 *
 * @module
 */

/** Gives the label's value for a text. */
export type Label = (text: string | undefined) => string;

const OTHER = "other";
const NAME = /^[a-z][a-z0-9_-]{0,62}$/;

/** Creates a label that has these values, and `other` for everything else. */
export function createKnownLabel(known: readonly string[]): Label {
  const values = new Set(known);
  return (text) => text !== undefined && values.has(text) ? text : OTHER;
}

/**
 * Creates a label for names that this service gives and no list here repeats: the first `max` that look
 * like a name are values, and `other` stands for everything else.
 */
export function createNamedLabel(max: number): Label {
  const values = new Set<string>();
  return (text) => {
    if (text === undefined) return OTHER;
    if (values.has(text)) return text;
    if (values.size >= max || !NAME.test(text)) return OTHER;
    values.add(text);
    return text;
  };
}

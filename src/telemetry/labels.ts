/**
 * Limits the values of metric labels, so that clients cannot make the metrics grow without bound.
 *
 * @module
 */

/** Returns the label value for a text: the text itself, or `other`. */
export type ToLabelValue = (text: string | undefined) => string;

const OTHER = "other";
const NAME = /^[a-z][a-z0-9_-]{0,62}$/;

/** Creates a label with a fixed set of values, and `other` for every other text. */
export function createKnownLabel(known: readonly string[]): ToLabelValue {
  const values = new Set(known);
  return (text) => text !== undefined && values.has(text) ? text : OTHER;
}

/**
 * Creates a label for names that the service chooses itself, such as error codes, without repeating their list: the
 * first `maxValues` texts that look like a name become values, and every other text becomes `other`.
 */
export function createNamedLabel(maxValues: number): ToLabelValue {
  const values = new Set<string>();
  return (text) => {
    if (text === undefined) return OTHER;
    if (values.has(text)) return text;
    if (values.size >= maxValues || !NAME.test(text)) return OTHER;
    values.add(text);
    return text;
  };
}

/**
 * The forms of settings: schemas that turn the text of an environment variable into a value.
 *
 * @module
 */
import * as z from "zod";

/** A schema that parses text. */
export type TextSchema<T> = z.ZodType<T, string>;

/**
 * Returns the schema of one setting.
 *
 * @param text The default, as it would be written in the environment.
 * @param description Markdown, for the documentation.
 */
export function setting<T extends TextSchema<unknown>>(
  text: string,
  description: string,
  value: T,
): z.ZodPipe<z.ZodDefault<z.ZodString>, T> {
  return z.string().default(text).pipe(value).meta({ description, default: text });
}

/** Returns the schema of any text, which may be empty. */
export function anyText(): TextSchema<string> {
  return z.string();
}

/** Returns the schema of a whole number within a range. */
export function whole(min: number, max: number): TextSchema<number> {
  const form = `must be a whole number from ${min} to ${max}`;
  return z.string().regex(/^\d{1,16}$/, { error: form, abort: true }).transform(Number)
    .refine((number) => number >= min && number <= max, { error: form, abort: true });
}

/** Returns the schema of a whole number within a range, or of an empty text, which becomes `undefined`. */
export function wholeOrEmpty(min: number, max: number): TextSchema<number | undefined> {
  const form = `must be a whole number from ${min} to ${max}, or empty`;
  return z.string().regex(/^\d{0,16}$/, { error: form, abort: true })
    .transform((text) => text === "" ? undefined : Number(text))
    .refine((number) => number === undefined || number >= min && number <= max, form);
}

/** Returns the schema of `auto` or a whole number within a range. */
export function autoOrWhole(min: number, max: number): TextSchema<"auto" | number> {
  const form = `must be auto or a whole number from ${min} to ${max}`;
  return z.string().regex(/^(?:auto|\d{1,16})$/, { error: form, abort: true })
    .transform((text) => text === "auto" ? text : Number(text))
    .refine((count) => count === "auto" || count >= min && count <= max, form);
}

/** Returns the schema of one of several words. */
export function oneOf<const T extends readonly string[]>(values: T): TextSchema<T[number]> {
  return z.enum(values, `must be one of ${values.join(", ")}`);
}

/** Returns the schema of one of several words or an empty text. */
export function oneOfOrEmpty<const T extends readonly string[]>(
  values: T,
): TextSchema<T[number] | ""> {
  return z.enum(["", ...values], `must be ${values.join(", ")}, or empty`);
}

/** Returns the schema of a value that `parse` returns, or throws an error about. */
export function parsedBy<T>(parse: (text: string) => T): TextSchema<T> {
  return z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: toMessage(error), input: text });
      return z.NEVER;
    }
  });
}

/**
 * Returns the schema of a list, separated by commas. Empty items are left out.
 *
 * @param parse Parses one item. Each error that it throws becomes a problem of its own.
 * @param check Throws an error if the items do not go together.
 */
export function list<T>(
  parse: (item: string) => T,
  check: (items: readonly T[]) => void = () => {},
): TextSchema<readonly T[]> {
  return z.string().transform((text, context) => {
    const texts = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
    const problems: string[] = [];
    const items: T[] = [];
    const attempt = (action: () => unknown): void => {
      try {
        action();
      } catch (error) {
        problems.push(toMessage(error));
      }
    };
    for (const item of texts) attempt(() => items.push(parse(item)));
    if (problems.length === 0) attempt(() => check(items));
    for (const message of problems) context.addIssue({ code: "custom", message, input: text });
    return items;
  });
}

/** Returns the message of an error. */
export function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The documentation of all settings.
 *
 * @module
 */
import { configSchema } from "./settings.ts";

/** The documentation of a setting. */
export interface SettingDoc {
  readonly name: string;
  readonly default: string;
  /** Markdown. */
  readonly description: string;
}

/** The documentation of all settings, in the order of the table. */
export const SETTINGS: readonly SettingDoc[] = Object.entries(configSchema.shape).map(
  ([name, schema]) => {
    const { default: text, description = "" } = schema.meta() ?? {};
    return { name, default: String(text), description };
  },
);

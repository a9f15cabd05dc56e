/**
 * The configuration of the service: parsed from the environment, and printed for `--help`.
 *
 * @module
 */
import { ConfigError } from "../config_error.ts";
import { readProxySettings } from "../http/proxies.ts";
import { findConflicts } from "./conflicts.ts";
import { SETTINGS } from "./setting_docs.ts";
import { type Config, configSchema } from "./settings.ts";

export type { Config };

const PREFIX = "WSFETCH_";
// If one of these is set, as on Deno Deploy, HOST does not decide who can connect.
const DEPLOY_VARIABLES = ["DENO_DEPLOYMENT_ID", "DENO_DEPLOY", "DENO_SERVE_ADDRESS"] as const;
// There, connections to port 443 are refused unless `fetch` makes them.
const FETCH_ONLY_VARIABLES = ["DENO_DEPLOYMENT_ID", "DENO_DEPLOY"] as const;

/**
 * Parses the settings in an environment; those that are missing have their defaults.
 *
 * @param env Variables by name. Variables that are not settings are ignored, unless they start with `WSFETCH_`.
 * @throws {ConfigError} A value is wrong, or a name that starts with `WSFETCH_` is unknown. All problems are listed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseConfig } from "./config.ts";
 *
 * assertEquals(parseConfig({ PORT: "8080" }).PORT, 8080);
 * ```
 */
export function parseConfig(env: Readonly<Record<string, string>>): Config {
  const isSet = (name: string): boolean => Object.hasOwn(env, name);
  const { success, data, error } = configSchema.safeParse({ ...env, ...readProxySettings(env) });
  const problems = [
    ...Object.keys(env).filter((name) => name.startsWith(PREFIX)).map(describeUnknown),
    ...(success
      ? findConflicts(data, DEPLOY_VARIABLES.some(isSet))
      : error.issues.map(({ path, message }) => `${path[0]?.toString()}: ${message}`)),
  ];
  if (!success || problems.length > 0) throw new ConfigError(problems);
  if (data.HTTP_CLIENT !== "") return data;
  return { ...data, HTTP_CLIENT: FETCH_ONLY_VARIABLES.some(isSet) ? "fetch" : "direct" };
}

/** Returns the part of `--help` that lists the settings. */
export function formatSettings(): string {
  return SETTINGS.map(({ name, default: text, description }) =>
    `  ${name} (default ${text === "" ? "empty" : text})\n      ${
      description.replaceAll("`", "")
    }\n`
  ).join("");
}

function describeUnknown(name: string): string {
  const bare = name.slice(PREFIX.length);
  const isSetting = SETTINGS.some((known) => known.name === bare);
  return `${name}: is not a setting${isSetting ? `; use ${bare}, without the prefix` : ""}`;
}

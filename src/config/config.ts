/**
 * The configuration of the service: parsed from the environment, and printed for `--help`.
 *
 * @module
 */
import { ConfigError } from "../config_error.ts";
import { findConflicts } from "./conflicts.ts";
import { type Config, configSchema, SETTINGS } from "./settings.ts";

export type { Config };

const PREFIX = "WSFETCH_";
// If one of these is set, as on Deno Deploy, HOST does not decide who can connect.
const DEPLOY_VARIABLES = ["DENO_DEPLOYMENT_ID", "DENO_DEPLOY", "DENO_SERVE_ADDRESS"] as const;
// Deno's fetch sends requests to `http:` URLs through the proxy in any of these.
const PROXY_VARIABLES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] as const;

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
  const { success, data, error } = configSchema.safeParse(env);
  const problems = [
    ...Object.keys(env).filter((name) => name.startsWith(PREFIX)).map(describeUnknown),
    ...(success
      ? findConflicts(data, DEPLOY_VARIABLES.some((name) => Object.hasOwn(env, name)))
      : error.issues.map(({ path, message }) => `${path[0]?.toString()}: ${message}`)),
  ];
  if (!success || problems.length > 0) throw new ConfigError(problems);
  const isProxied = data.HTTP_CLIENT === "" && PROXY_VARIABLES.some((name) => env[name]);
  return isProxied ? { ...data, HTTP_CLIENT: "fetch" } : data;
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

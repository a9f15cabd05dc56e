/**
 * How many workers serve.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config_error.ts";

/** The machine that they run on. */
export interface Machine {
  readonly os: typeof Deno.build.os;
  /** Those that the process may use. */
  readonly cores: number;
}

/**
 * Gives the number of workers that the settings ask for.
 *
 * @throws {ConfigError} There can be only one here.
 */
export function countWorkers(
  { WORKERS }: Pick<Config, "WORKERS">,
  { os, cores }: Machine = { os: Deno.build.os, cores: navigator.hardwareConcurrency },
): number {
  // Elsewhere SO_REUSEPORT gives one listener everything, or is not there.
  const isShared = os === "linux";
  if (WORKERS === "auto") return isShared ? cores : 1;
  if (WORKERS === 1 || isShared) return WORKERS;
  throw new ConfigError([
    "WORKERS: only Linux shares connections out between several; set 1, or auto",
  ]);
}

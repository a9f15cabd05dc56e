/**
 * The number of workers.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config_error.ts";

/** The machine that the workers run on. */
export interface Machine {
  readonly os: typeof Deno.build.os;
  /** How many cores this process may use. */
  readonly cores: number;
}

/**
 * Returns how many workers the settings ask for.
 *
 * @throws {ConfigError} The settings ask for several, and this system cannot share a port among them.
 */
export function countWorkers(
  { WORKERS }: { readonly WORKERS: Config["WORKERS"] },
  { os, cores }: Machine = { os: Deno.build.os, cores: navigator.hardwareConcurrency },
): number {
  // On other systems SO_REUSEPORT is missing, or one listener gets all connections.
  const canShare = os === "linux";
  if (WORKERS === "auto") return canShare ? cores : 1;
  if (WORKERS === 1 || canShare) return WORKERS;
  throw new ConfigError([
    "WORKERS: only Linux distributes connections among several workers; set 1, or auto",
  ]);
}

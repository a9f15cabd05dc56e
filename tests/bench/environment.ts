/**
 * Where and how something was measured.
 *
 * @module
 */
import type { Placement } from "./cores.ts";
import type { BenchOptions } from "./options.ts";
import type { Peer } from "./peers.ts";
import { ask } from "./processes.ts";
import type { Upstream } from "./upstream.ts";

/** Sentences on what was measured: name and value. */
export type Environment = Readonly<Record<string, string>>;

/** What the sentences are about. */
export interface EnvironmentOptions {
  readonly options: BenchOptions;
  readonly placement: Placement;
  readonly upstream: Upstream;
  readonly peers: readonly Peer[];
  readonly missing: readonly string[];
}

/** Describes the machine, the programs and how they were set up. */
export async function describeEnvironment(
  { options: { rounds, seconds, warmSeconds }, placement, upstream, peers, missing }:
    EnvironmentOptions,
): Promise<Environment> {
  const cpu = /^model name\s*:\s*(.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1];
  const commit = await ask(["git", "describe", "--always", "--dirty"]);
  const [load = 0] = Deno.loadavg();
  return {
    command: `deno task bench ${Deno.args.join(" ")}`.trim(),
    commit: commit ?? "unknown",
    machine: `${cpu ?? "unknown CPU"}, ${navigator.hardwareConcurrency} cores, Linux ` +
      `${Deno.osRelease()}; load ${load.toFixed(2)} before the start`,
    programs: [`Deno ${Deno.version.deno}`, ...peers.map(({ title }) => title)].join("; "),
    "left out": missing.join("; ") || "nothing",
    service: "as `deno task start` runs it, with its defaults (policy, header rules, limits on " +
      "sizes, a log line for each exchange as JSON into a file), and the upstream in ALLOW_HOSTS and LIMIT_CONNECTIONS=0",
    upstream: `${upstream.title}, bodies of JSON, over loopback; https: by TLS 1.3 with ` +
      `${upstream.certificates.title}, which every server verifies`,
    placement: placement.note,
    rounds:
      `${rounds} over all servers in turn, ${seconds} s each after ${warmSeconds} s to warm ` +
      "up; medians, and medians of the ratios within a round",
  };
}

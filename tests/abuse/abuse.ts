/**
 * Attacks the service in each of its configurations, and prints a table. `--help` tells the options.
 *
 * @module
 */
import { killDescendants } from "../bench/processes.ts";
import { say } from "../bench/role.ts";
import { CONTROL } from "./attacks.ts";
import { createMemoryGroup } from "./cgroup.ts";
import { type AbuseOptions, parseOptions } from "./options.ts";
import { formatSoak, soak } from "./soak/soak.ts";
import { findProblems, formatOutcome, formatRow, TABLE_HEAD } from "./table.ts";
import { STREAMS, terminate } from "./termination.ts";
import { runTrial } from "./trial.ts";

async function attackAll(options: AbuseOptions): Promise<void> {
  const { attacks, workers, memoryBytes } = options;
  const hasGroup = options.hasGroup && canLimitMemory();
  let held = 0;
  let failed = 0;
  let skipped = 0;
  for (const bytes of memoryBytes) {
    for (const count of workers) {
      say(`\nMEMORY_BYTES=${bytes} WORKERS=${count}\n\n${TABLE_HEAD}`);
      for (const attack of [CONTROL, ...attacks]) {
        const trial = { ...options, hasGroup, workers: count, memoryBytes: bytes };
        const outcome = await runTrial(attack, trial).catch((error: unknown) => `${error}`);
        if (typeof outcome === "string") {
          skipped++;
          say(formatRow([attack.name, `skipped: ${outcome}`]));
          continue;
        }
        if (attack !== CONTROL) {
          if (findProblems(outcome, bytes).length === 0) held++;
          else failed++;
        }
        say(formatOutcome(outcome, bytes));
      }
    }
  }
  say("");
  if (!await terminateAll(workers)) failed++;
  else held++;
  say(`\n${held} held, ${failed} not held, ${skipped} skipped`);
  if (failed > 0) Deno.exitCode = 1;
}

async function runSoak(minutes: number): Promise<void> {
  const result = await soak(minutes);
  say(formatSoak(result));
  if (result.wrongs.size > 0 || result.end !== "exit 0") Deno.exitCode = 1;
}

async function terminateAll(workers: readonly number[]): Promise<boolean> {
  let isHeld = true;
  for (const count of workers) {
    const { whole, exitCode } = await terminate(count);
    say(`SIGTERM, WORKERS=${count}: ${whole} of ${STREAMS} streams ended, exit code ${exitCode}`);
    isHeld &&= whole === STREAMS && exitCode === 0;
  }
  return isHeld;
}

function canLimitMemory(): boolean {
  using group = createMemoryGroup(1024 ** 3);
  if (group === undefined) say("No control group for memory can be created here: none is used");
  return group !== undefined;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    killDescendants();
    Deno.exit(1);
  });
}
const options = parseOptions(Deno.args);
if (typeof options === "string") say(options);
else if (options.soakMinutes !== undefined) await runSoak(options.soakMinutes);
else await attackAll(options);

/**
 * What came of attacks, as a table in Markdown.
 *
 * @module
 */
import type { Counts } from "./attack.ts";
import { MEMORY_MARGIN, type Outcome, type VictimOutcome } from "./trial.ts";

const MIB = 1024 * 1024;
/** How much worse than alone a victim's p99 may be. */
const MAX_DELAY_MS = 50;

const HEAD = [
  "attack",
  "held",
  "up",
  "RSS peak ÷ MEMORY_BYTES",
  "victim p50 ms",
  "victim p99 ms",
  "max ms",
  "no processor",
  "failed of",
  "new connections",
  "RSS MiB",
  "descriptors",
  "attacker was told",
];

/** The first two lines of the table. */
export const TABLE_HEAD = [HEAD, HEAD.map(() => "---")].map(formatRow).join("\n");

/** Returns what does not hold, in words. */
export function findProblems(
  { attack, ended, peakBytes, descriptors, victims, told }: Outcome,
  memoryBytes: number,
): readonly string[] {
  const problems: string[] = [];
  if (ended !== undefined) problems.push("down");
  if (peakBytes > memoryBytes * MEMORY_MARGIN) problems.push("memory");
  if (descriptors.peak > (attack.maxDescriptors ?? Infinity)) problems.push("descriptors");
  for (const { name, alone, beside } of victims) {
    if (beside.p99 - alone.p99 > MAX_DELAY_MS) problems.push(`p99 of ${name}`);
    if (count(beside.failures) > 0) problems.push(`failures of ${name}`);
    const mayBeRefused = attack.takesPlaces === true && name === "victim";
    if (!mayBeRefused && count(beside.newcomers) > 0) {
      problems.push(`new connections of ${name}`);
    }
  }
  if (attack.told !== undefined && !attack.told.some((code) => code in told)) {
    problems.push("code");
  }
  return problems;
}

/** Formats a row. */
export function formatOutcome(outcome: Outcome, memoryBytes: number): string {
  const { attack, ended, peakBytes, victims, told, residentBytes, descriptors } = outcome;
  const problems = findProblems(outcome, memoryBytes);
  const each = (format: (victim: VictimOutcome) => string): string =>
    victims.map((victim) => victim.name === "other" ? `other: ${format(victim)}` : format(victim))
      .join("; ");
  return formatRow([
    attack.name,
    problems.length === 0 ? "yes" : `NO: ${problems.join(", ")}`,
    ended ?? "yes",
    (peakBytes / memoryBytes).toFixed(2),
    each(({ alone, beside }) => `${ms(alone.p50)} → ${ms(beside.p50)}`),
    each(({ alone, beside }) => `${ms(alone.p99)} → ${ms(beside.p99)}`),
    each(({ beside }) => ms(beside.max)),
    `${(outcome.waitedShare * 100).toFixed(0)} %`,
    each(({ beside }) => formatFailures(beside.failures, beside.samples)),
    each(({ beside }) => formatCounts(beside.newcomers) || "served"),
    `${mib(residentBytes.before)} → ${mib(peakBytes)} → ${mib(residentBytes.after)}`,
    `${descriptors.before} → ${descriptors.peak} → ${descriptors.after}`,
    formatCounts(told) || "nothing",
  ]);
}

/** Formats a row of a table. */
export function formatRow(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function count(counts: Counts): number {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

function formatFailures(failures: Counts, samples: number): string {
  const words = formatCounts(failures);
  return `${count(failures)} of ${samples}${words === "" ? "" : ` (${words})`}`;
}

function formatCounts(counts: Counts): string {
  return Object.entries(counts).map(([name, times]) => `${times} × ${name}`).join(", ");
}

const ms = (time: number): string => time.toFixed(1);
const mib = (bytes: number): string => (bytes / MIB).toFixed(0);

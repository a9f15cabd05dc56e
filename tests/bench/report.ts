/**
 * The results as Markdown.
 *
 * @module
 */
import { describeCell } from "./cells.ts";
import type { Environment } from "./environment.ts";
import type { IdleResult } from "./idle.ts";
import type { Row, Summary } from "./summary.ts";
import type { Target } from "./targets.ts";

const MIB = 1024 * 1024;
const BUSY = 0.9;

/** Formats where and how it was measured. */
export function formatEnvironment(environment: Environment): string {
  return Object.entries(environment).map(([name, value]) => `- ${name}: ${value}\n`).join("");
}

/** Formats a cell as a table. */
export function formatSummary({ cell, rows }: Summary, shared: boolean): string {
  const base = cell.mode === "client" ? "fetch" : "bare";
  return formatTable(
    `### ${describeCell(cell)}`,
    [
      "server",
      "exchanges/s",
      "p50 ms",
      "p99 ms",
      "CPU µs/exchange",
      "peak MiB",
      `throughput ÷ ${base}`,
      `CPU ÷ ${base}`,
      "server, generator, upstream busy",
    ],
    rows.map((row) => [
      row.title,
      format(row.throughput, row.throughput < 100 ? 1 : 0),
      format(row.p50Ms, 2),
      format(row.p99Ms, 2),
      format(row.cpuMicros, 1),
      row.peakBytes === 0 ? "–" : format(row.peakBytes / MIB, 0),
      format(row.throughputRatio, 2),
      format(row.cpuRatio, 2),
      [row.serverLoad, row.loaderLoad, row.upstreamLoad].map(formatShare).join(", "),
    ]),
  ) + rows.map((row) => formatWarnings(row, shared)).join("");
}

/** Formats what idle connections cost. */
export function formatIdle(results: readonly IdleResult[]): string {
  const steps = results[0]?.sample.steps ?? [];
  return formatTable(
    "### idle connections",
    [
      "server",
      ...steps.map(({ connections }) => `KB each of ${connections}`),
      "errors",
      "busy while idle",
    ],
    results.map(({ peer, sample }) => [
      peer.title,
      ...sample.steps.map(({ bytesEach }) => format(bytesEach / 1024, 1)),
      String(sample.failures),
      formatShare(sample.cpu),
    ]),
  );
}

/** Formats the targets. */
export function formatTargets(targets: readonly Target[]): string {
  return formatTable(
    "### targets",
    ["target", "worst", "where", "holds"],
    targets.map((
      { text, measured, where, holds },
    ) => [text, measured, where, holds ? "yes" : "NO"]),
  );
}

/** Formats a table under a heading. */
export function formatTable(
  heading: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [head, head.map((_, i) => i === 0 ? "---" : "---:"), ...rows];
  return `\n${heading}\n\n${lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("")}`;
}

/** What would make the numbers say something else than they seem to. */
function formatWarnings(
  { title, failures, loaderLoad, upstreamLoad, throughput }: Row,
  shared: boolean,
): string {
  const isSpent = loaderLoad > BUSY || shared && loaderLoad + upstreamLoad > BUSY;
  return [
    ...(throughput > 0 ? [] : ["nothing was answered"]),
    ...(failures > 0 ? [`${failures} answers failed or were wrong, or connections were lost`] : []),
    ...(isSpent
      ? [
        `the load generator${shared ? " and the upstream" : ""} used more than 90 % of ` +
        `${shared ? "their" : "its"} core, which may limit the throughput; ` +
        "the CPU time of an exchange holds",
      ]
      : []),
  ].map((warning) => `\n${title}: ${warning}.\n`).join("");
}

function format(number: number, digits: number): string {
  return Number.isFinite(number) ? number.toFixed(digits) : "–";
}

function formatShare(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

/**
 * What the service is meant to reach, and whether it has.
 *
 * @module
 */
import { describeCell, type Scheme } from "./cells.ts";
import type { IdleResult } from "./idle.ts";
import { IDLE_STEPS } from "./idle.ts";
import type { CellResult } from "./rounds.ts";
import { compare, samplesOf, toCpuMicros, toThroughput } from "./summary.ts";

/** A target and the worst that was measured. */
export interface Target {
  readonly text: string;
  readonly measured: string;
  /** The cell with the worst number. */
  readonly where: string;
  readonly holds: boolean;
}

interface Rule {
  readonly text: string;
  readonly limit: number;
  /** Whether the limit is the most or the least. */
  readonly isMost: boolean;
  /** `NaN`: the rule is not about this cell. */
  measure(result: CellResult): number;
}

const SMALL_BYTES = 200;
const LARGE_BYTES = 1_048_576;
const IDLE_BYTES = 16 * 1024;

const isKept = (
  { cell }: CellResult,
  what: Pick<CellResult["cell"], "scheme" | "mode" | "bodyBytes">,
): boolean =>
  cell.keepsAlive && cell.scheme === what.scheme && cell.mode === what.mode &&
  cell.bodyBytes === what.bodyBytes;
const isSmall = (result: CellResult, scheme: Scheme = "http"): boolean =>
  isKept(result, { scheme, mode: "buffered", bodyBytes: SMALL_BYTES });
/** Over https, with more than one exchange in flight over all connections. */
const isSmallHttps = (result: CellResult): boolean =>
  isSmall(result, "https") && result.cell.connections * result.cell.inFlight > 1;
const isLarge = (result: CellResult, scheme: Scheme): boolean =>
  isKept(result, { scheme, mode: "streamed", bodyBytes: LARGE_BYTES });

const RULES: readonly Rule[] = [
  {
    text: "small buffered exchanges: CPU at most 1.15 × the bare loop's",
    limit: 1.15,
    isMost: true,
    measure: (result) => isSmall(result) ? compare(result, ["ours", "bare"], toCpuMicros) : NaN,
  },
  {
    text: "small buffered exchanges: at least 1.1 × the throughput of Node.js",
    limit: 1.1,
    isMost: false,
    measure: (result) => isSmall(result) ? compare(result, ["ours", "node"], toThroughput) : NaN,
  },
  {
    text: "small buffered exchanges: at least 8 × the throughput of FastAPI",
    limit: 8,
    isMost: false,
    measure: (result) => isSmall(result) ? compare(result, ["ours", "fastapi"], toThroughput) : NaN,
  },
  {
    text: "1 MiB streamed: CPU at most 1.25 × that of a bare loop that sends the chunks",
    limit: 1.25,
    isMost: true,
    measure: (result) =>
      isLarge(result, "http") ? compare(result, ["ours", "bare"], toCpuMicros) : NaN,
  },
  {
    text: "through the client, 64 in flight, small: at least 0.6 × the throughput of fetch",
    limit: 0.6,
    isMost: false,
    measure: (result) =>
      result.cell.name === `client-${SMALL_BYTES}-1x64`
        ? compare(result, ["ours", "direct"], toThroughput)
        : NaN,
  },
  {
    text: "two cores: at least 1.5 × the throughput of one",
    limit: 1.5,
    isMost: false,
    // With one connection, or one exchange at a time, there is nothing to share out.
    measure: (result) =>
      isSmall(result) && result.cell.connections > 1
        ? compare(result, ["start", "ours"], toThroughput)
        : NaN,
  },
  {
    text: "https, small buffered, more than one in flight: CPU at most 0.7 × the bare loop's",
    limit: 0.7,
    isMost: true,
    measure: (result) =>
      isSmallHttps(result) ? compare(result, ["ours", "bare"], toCpuMicros) : NaN,
  },
  {
    text: "https, small buffered, more than one in flight: CPU at most 1.4 × the same over http",
    limit: 1.4,
    isMost: true,
    measure: (result) =>
      isSmallHttps(result) ? compare(result, ["ours", "http"], toCpuMicros) : NaN,
  },
  {
    text: "https, 1 MiB streamed: CPU at most 0.6 × that of a bare loop that sends the chunks",
    limit: 0.6,
    isMost: true,
    measure: (result) =>
      isLarge(result, "https") ? compare(result, ["ours", "bare"], toCpuMicros) : NaN,
  },
];

/** Gives the targets that the results say something about. */
export function judgeTargets(
  results: readonly CellResult[],
  idle: readonly IdleResult[],
): readonly Target[] {
  const ours = idle.find(({ peer }) => peer.name === "ours");
  return [
    ...RULES.flatMap((rule) => judge(rule, results)),
    ...(ours === undefined ? [] : judgeIdle(ours)),
  ];
}

function judge({ text, limit, isMost, measure }: Rule, results: readonly CellResult[]): Target[] {
  const measured = results.map((result) => ({ result, number: measure(result) }))
    .filter(({ number }) => Number.isFinite(number))
    .toSorted((a, b) => isMost ? b.number - a.number : a.number - b.number);
  const [worst] = measured;
  if (worst === undefined) return [];
  // An exchange that fails is cheap, and proves nothing.
  const isClean = measured.every(({ result }) =>
    samplesOf(result, "ours").every(({ failures }) => failures === 0)
  );
  return [{
    text,
    measured: `${worst.number.toFixed(2)} ×${isClean ? "" : ", with failures"}`,
    where: describeCell(worst.result.cell),
    holds: isClean && (isMost ? worst.number <= limit : worst.number >= limit),
  }];
}

function judgeIdle({ sample: { steps, failures } }: IdleResult): Target[] {
  const [few, many] = IDLE_STEPS;
  const bytes = steps.find(({ connections }) => connections === few)?.bytesEach ?? NaN;
  return [{
    text: `idle: at most 16 KB resident for each of ${few} connections`,
    measured: `${(bytes / 1024).toFixed(1)} KB`,
    where: "idle",
    holds: bytes <= IDLE_BYTES,
  }, {
    text: `idle: ${many} connections held with no error`,
    measured: `${failures} errors`,
    where: "idle",
    holds: failures === 0 && steps.some(({ connections }) => connections === many),
  }];
}

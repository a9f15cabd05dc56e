/**
 * What metrics and logs cost the service: its CPU time for an exchange with both, as they are by default, and with
 * none of them. Linux only: the time is from `/proc`.
 *
 * Two processes that do the same differ by some per cent for as long as they live. So one process has a service of
 * each kind, and they are under load in turn, a short while each; what is left of such differences the second
 * service with none of them says. Ratios are of neighbours in time, since whatever else the machine does meets
 * them alike; "at best" is of the tenth of turns that took least, since it only adds to a time. Some starts, since
 * one process is compiled in another way than the next.
 *
 * Run: `deno run --allow-all tests/bench/telemetry_cpu.ts [CELL [STARTS [ROUNDS]]]`, for instance
 * `buffered-200-1x64 5 40`
 */
import { type Cell, describeCell, selectCells } from "./cells.ts";
import { placeProcesses } from "./cores.ts";
import { startLoader } from "./loader.ts";
import { findPort, startServer } from "./processes.ts";
import { createServices, SERVICE_DIALECTS } from "./service.ts";
import { median, medianRatio, quantile } from "./statistics.ts";
import { startUpstream } from "./upstream.ts";

const WARM_MS = 2000;
const TURN_MS = 150;
const BEST = 0.1;
const TARGET = 0.95;
// What two that do the same may differ by.
const TOLERANCE = 0.015;
const OFF = { METRICS: "off", LOG_LEVEL: "off" };

/** The first is what the others are compared with. */
const VARIANTS: readonly { readonly name: string; readonly env: Record<string, string> }[] = [
  { name: "off", env: OFF },
  { name: "off, another", env: OFF },
  { name: "metrics and log", env: {} },
];

/** CPU time for an exchange by variant, in microseconds. */
type Round = readonly number[];

/** Starts all variants in one process and measures each in every round. */
async function measure(cell: Cell, rounds: number, folder: string): Promise<readonly Round[]> {
  const placement = placeProcesses();
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startUpstream({ folder, cores: placement.upstream }));
  const loader = stack.use(
    startLoader({ cores: placement.loader, output: `${folder}/loader.log` }),
  );
  const ports = VARIANTS.map(findPort);
  const program = createServices("start", {
    upstream,
    settings: VARIANTS.map(({ env }, index) => ({ ...env, PORT: String(ports[index]) })),
  });
  const service = stack.use(
    await startServer(program, {
      port: ports.at(-1) ?? 0,
      cores: placement.server,
      output: `${folder}/service.log`,
    }),
  );
  const sample = await loader.takeTurns({
    ...cell,
    dialect: SERVICE_DIALECTS[cell.mode],
    ports,
    target: upstream.url(cell),
    warmMs: WARM_MS,
    turnMs: TURN_MS,
    rounds,
    serverPids: service.pids(),
  });
  return sample.rounds;
}

/** Exchanges in a CPU second are the inverse of CPU time for an exchange. */
function report(starts: readonly (readonly Round[])[], index: number): number {
  const of = (rounds: readonly Round[], index: number): readonly number[] =>
    rounds.map((times) => times[index] ?? NaN);
  const [base, own] = [of(starts.flat(), 0), of(starts.flat(), index)];
  const ratio = medianRatio(base, own);
  const best = quantile(base, BEST) / quantile(own, BEST);
  const ratios = starts.map((rounds) => medianRatio(of(rounds, 0), of(rounds, index)));
  const [least, most] = [quantile(ratios, 0), quantile(ratios, 1)];
  print(
    `${(VARIANTS[index]?.name ?? "").padEnd(16)} ${
      median(own).toFixed(1)
    } µs of CPU an exchange, ` +
      `at best ${quantile(own, BEST).toFixed(1)}; exchanges in a CPU second: ` +
      `${ratio.toFixed(3)} ×, at best ${best.toFixed(3)} ×, by start from ` +
      `${least.toFixed(3)} to ${most.toFixed(3)}`,
  );
  return ratio;
}

async function main(): Promise<void> {
  const [word = "buffered-200-1x64", starts = "5", rounds = "40"] = Deno.args;
  const [cell] = selectCells(word).cells;
  if (cell === undefined) throw new TypeError(`${word} is no cell of exchanges`);
  print(`${describeCell(cell)}, ${starts} starts, ${rounds} rounds of ${TURN_MS} ms each`);
  print(placeProcesses().note);
  const all: (readonly Round[])[] = [];
  for (let start = 0; start < Number(starts); start++) {
    const folder = Deno.makeTempDirSync({ prefix: "wsfetch-telemetry-" });
    try {
      all.push(await measure(cell, Number(rounds), folder));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  }
  const [, control = NaN, both = NaN] = VARIANTS.map((_, index) => report(all, index));
  print(judge(both, control));
}

function judge(both: number, control: number): string {
  const what = "at most 5 % less with metrics and log";
  if (!(Math.abs(control - 1) <= TOLERANCE)) {
    return `${what}: cannot be told, because two with none of them differ too much`;
  }
  return `${what}: ${both >= TARGET ? "holds" : "does not hold"}`;
}

function print(text: string): void {
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.log(text);
}

await main();

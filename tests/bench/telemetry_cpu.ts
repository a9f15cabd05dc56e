/**
 * What metrics and logs cost the service: its CPU time for an exchange with both, as they are by default, and with
 * none of them. Linux only: the time is from `/proc`.
 *
 * Two processes that do the same differ by some per cent for as long as they live, so that all are started
 * many times; how much is left of that, the second process with none of them says. "At best" is of the round of
 * each start that took least: what else the machine does only adds to a time.
 *
 * Run: `deno run --allow-all tests/bench/telemetry_cpu.ts [CELL [STARTS [ROUNDS]]]`, for instance
 * `buffered-200-1x64 10 9`
 */
import { type Cell, describeCell, selectCells } from "./cells.ts";
import { placeProcesses } from "./cores.ts";
import { startLoader } from "./loader.ts";
import { createService, SERVICE_DIALECTS } from "./service.ts";
import { findPort, type ServerProcess, startServer } from "./processes.ts";
import { median, medianRatio } from "./statistics.ts";
import { toCpuMicros } from "./summary.ts";
import { startUpstream } from "./upstream.ts";

const WARM_SECONDS = 2;
const SECONDS = 0.5;
const TARGET = 0.95;
const OFF = { METRICS: "off", LOG_LEVEL: "off" };

/** The first is what the others are compared with. */
const VARIANTS: readonly { readonly name: string; readonly env: Record<string, string> }[] = [
  { name: "off", env: OFF },
  { name: "off, another process", env: OFF },
  { name: "metrics and log", env: {} },
];

/** A service and its CPU time for an exchange, in microseconds, round by round. */
interface Runner {
  readonly name: string;
  readonly service: ServerProcess;
  readonly times: number[];
}

/** Starts every variant and measures each in every round, each round in another order. */
async function measure(cell: Cell, rounds: number, folder: string): Promise<readonly Runner[]> {
  const placement = placeProcesses();
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startUpstream({ folder, cores: placement.upstream }));
  const loader = stack.use(
    startLoader({ cores: placement.loader, output: `${folder}/loader.log` }),
  );
  const runners: Runner[] = [];
  for (const [index, { name, env }] of VARIANTS.entries()) {
    const port = findPort();
    const program = createService("start", { port, upstreamPort: upstream.port });
    const service = await startServer({ ...program, env: { ...program.env, ...env } }, {
      port,
      cores: placement.server,
      output: `${folder}/service-${index}.log`,
    });
    runners.push({ name, service: stack.use(service), times: [] });
  }

  /** Gives microseconds of CPU time for an exchange. */
  async function run({ service }: Runner, seconds: number): Promise<number> {
    service.forgetOutput(); // a line for each exchange adds up
    const sample = await loader.run({
      ...cell,
      dialect: SERVICE_DIALECTS[cell.mode],
      port: service.port,
      target: upstream.url(cell.bodyBytes),
      seconds,
      serverPids: service.pids(),
      upstreamPids: [],
    });
    if (sample.failures > 0) throw new Error(`${sample.failures} exchanges have failed`);
    return toCpuMicros(sample);
  }

  for (const runner of runners) await run(runner, WARM_SECONDS);
  for (let round = 0; round < rounds; round++) {
    const shift = round % runners.length;
    const turned = [...runners.slice(shift), ...runners.slice(0, shift)];
    for (const runner of round % 2 === 0 ? turned : turned.toReversed()) {
      runner.times.push(await run(runner, SECONDS));
    }
  }
  return runners;
}

/** Exchanges in a CPU second are the inverse of CPU time for an exchange. */
function report(name: string, all: readonly Runner[]): number {
  const of = (wanted: string): readonly (readonly number[])[] =>
    all.filter((runner) => runner.name === wanted).map(({ times }) => times);
  const [own, base] = [of(name), of(VARIANTS[0]?.name ?? "")];
  const best = (times: readonly (readonly number[])[]): readonly number[] =>
    times.map((each) => Math.min(...each));
  const ratio = medianRatio(base.flat(), own.flat());
  const bestRatio = medianRatio(best(base), best(own));
  print(
    `${name.padEnd(22)} ${median(own.flat()).toFixed(1)} µs of CPU an exchange, at best ` +
      `${median(best(own)).toFixed(1)}; exchanges in a CPU second: ${
        ratio.toFixed(3)
      } ×, at best ` +
      `${bestRatio.toFixed(3)} ×`,
  );
  return ratio;
}

async function main(): Promise<void> {
  const [word = "buffered-200-1x64", starts = "10", rounds = "9"] = Deno.args;
  const [cell] = selectCells(word).cells;
  if (cell === undefined) throw new TypeError(`${word} is no cell of exchanges`);
  print(`${describeCell(cell)}, ${starts} starts, ${rounds} rounds of ${SECONDS} s each`);
  print(placeProcesses().note);
  const all: Runner[] = [];
  for (let start = 0; start < Number(starts); start++) {
    const folder = Deno.makeTempDirSync({ prefix: "wsfetch-telemetry-" });
    try {
      all.push(...await measure(cell, Number(rounds), folder));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  }
  const [, control = NaN, both = NaN] = VARIANTS.map(({ name }) => report(name, all));
  print(judge(both, control));
}

/** Where two that do the same differ by half of what is looked for, a difference says nothing. */
function judge(both: number, control: number): string {
  const what = "at most 5 % less with metrics and log";
  if (!(Math.abs(control - 1) <= (1 - TARGET) / 2)) {
    return `${what}: cannot be told, because two processes with none of them differ by more than half of it`;
  }
  return `${what}: ${both >= TARGET ? "holds" : "does not hold"}`;
}

function print(text: string): void {
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.log(text);
}

await main();

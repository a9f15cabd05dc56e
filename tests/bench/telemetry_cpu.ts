/**
 * What metrics and logs cost the service: its CPU time for an exchange with both, as they are by default, against
 * none of them, with one of them, and against another process with none. Linux only: the time is from `/proc`.
 *
 * Run: `deno run --allow-all tests/bench/telemetry_cpu.ts [CELL [ROUNDS [SECONDS]]]`, for instance
 * `buffered-200-1x64 21 1`
 */
import { type Cell, describeCell, selectCells } from "./cells.ts";
import { placeProcesses } from "./cores.ts";
import { startLoader } from "./loader.ts";
import { createService, SERVICE_DIALECTS } from "./service.ts";
import { findPort, type ServerProcess, startServer } from "./processes.ts";
import { median, medianRatio, quantile } from "./statistics.ts";
import { toCpuMicros } from "./summary.ts";
import { startUpstream } from "./upstream.ts";

const WARM_SECONDS = 3;
const TARGET = 0.95;
const METRICS_OFF = { METRICS: "off" };
const LOG_OFF = { LOG_LEVEL: "off" };

/** The first is what the others are compared with. */
const VARIANTS: readonly { readonly name: string; readonly env: Record<string, string> }[] = [
  { name: "off", env: { ...METRICS_OFF, ...LOG_OFF } },
  { name: "off, another process", env: { ...METRICS_OFF, ...LOG_OFF } },
  { name: "metrics", env: LOG_OFF },
  { name: "log", env: METRICS_OFF },
  { name: "metrics and log", env: {} },
];

/** A service and its CPU time for an exchange, in microseconds, round by round. */
interface Runner {
  readonly name: string;
  readonly service: ServerProcess;
  readonly times: number[];
}

/** Measures every variant in every round, each round in another order. */
async function measure(
  cell: Cell,
  { rounds, seconds, folder }: {
    readonly rounds: number;
    readonly seconds: number;
    readonly folder: string;
  },
): Promise<readonly Runner[]> {
  const placement = placeProcesses();
  print(`${describeCell(cell)}, ${rounds} rounds of ${seconds} s; ${placement.note}`);
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
      runner.times.push(await run(runner, seconds));
    }
  }
  return runners;
}

/** Exchanges in a CPU second are the inverse of CPU time for an exchange. */
function report({ name, times }: Runner, base: readonly number[]): number {
  const ratios = times.map((time, round) => (base[round] ?? NaN) / time);
  const ratio = medianRatio(base, times);
  const [low, high] = [quantile(ratios, 0.25), quantile(ratios, 0.75)];
  print(
    `${name.padEnd(22)} ${median(times).toFixed(1)} µs of CPU an exchange; exchanges in a CPU ` +
      `second: ${ratio.toFixed(3)} × (${low.toFixed(3)} to ${high.toFixed(3)} in half the rounds)`,
  );
  return ratio;
}

async function main(): Promise<void> {
  const [word = "buffered-200-1x64", rounds = "21", seconds = "1"] = Deno.args;
  const [cell] = selectCells(word).cells;
  if (cell === undefined) throw new TypeError(`${word} is no cell of exchanges`);
  const folder = Deno.makeTempDirSync({ prefix: "wsfetch-telemetry-" });
  try {
    const options = { rounds: Number(rounds), seconds: Number(seconds), folder };
    const runners = await measure(cell, options);
    const base = runners[0]?.times ?? [];
    const ratios = runners.map((runner) => report(runner, base));
    const holds = (ratios.at(-1) ?? 0) >= TARGET;
    print(`at most 5 % less with metrics and log: ${holds ? "holds" : "does not hold"}`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function print(text: string): void {
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.log(text);
}

await main();

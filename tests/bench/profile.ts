/**
 * Where the service spends its time: runs it with V8's profiler, loads it with one cell of the benchmark, and
 * prints the functions with the most time inside them.
 *
 * Run: `deno task profile [CELL [SECONDS [FILE]]]`, for instance `deno task profile buffered-200-1x64 5`
 */
import { type Cell, describeCell, selectCells } from "./cells.ts";
import { placeProcesses } from "./cores.ts";
import { type CpuProfile, listSelfTimes, type SelfTime } from "./cpu_profile.ts";
import { startLoader } from "./loader.ts";
import { findPort, startServer } from "./processes.ts";
import { formatTable } from "./report.ts";
import { createService, SERVICE_DIALECTS } from "./service.ts";
import { toCpuMicros, toThroughput } from "./summary.ts";
import { startUpstream } from "./upstream.ts";

const FUNCTIONS = 40;
const WARM_SECONDS = 2;
const ROOT = new URL("../../", import.meta.url).href;
const USAGE =
  "Usage: deno task profile [CELL [SECONDS [FILE]]]; `deno task bench --help` names cells";

/** What is recorded. */
interface Recording {
  readonly cell: Cell;
  readonly seconds: number;
  readonly folder: string;
}

async function main(): Promise<void> {
  const [word = "buffered-200-1x64", seconds = "5", file] = Deno.args;
  const cell = word.startsWith("-") ? undefined : selectCells(word).cells[0];
  if (cell === undefined || !(Number(seconds) > 0)) return print(USAGE);
  const folder = Deno.makeTempDirSync({ prefix: "wsfetch-profile-" });
  try {
    const path = await record({ cell, seconds: Number(seconds), folder });
    if (file !== undefined) Deno.copyFileSync(path, file);
    const profile: CpuProfile = JSON.parse(Deno.readTextFileSync(path));
    print(format(cell, listSelfTimes(profile, Number(seconds) * 1000)));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Gives the path of a profile of the service under load. */
async function record({ cell, seconds, folder }: Recording): Promise<string> {
  const placement = placeProcesses();
  await using upstream = await startUpstream({ folder, cores: placement.upstream });
  await using loader = startLoader({ cores: placement.loader, output: `${folder}/loader.log` });
  const [port, profiles] = [findPort(), `${folder}/profiles`];
  const task = Deno.env.get("BENCH_START") || "start";
  const flags = ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
  await using service = await startServer(
    createService(task, { port, upstream, flags }),
    { port, cores: placement.server, output: `${folder}/service.log` },
  );
  const job = {
    ...cell,
    dialect: SERVICE_DIALECTS[cell.mode],
    port,
    target: upstream.url(cell),
    serverPids: service.pids(),
    upstreamPids: [],
  };
  await loader.run({ ...job, seconds: WARM_SECONDS });
  const sample = await loader.run({ ...job, seconds });
  await service.stop(); // the profile is written at the end
  print(
    `${toThroughput(sample).toFixed(0)} exchanges/s, ` +
      `${toCpuMicros(sample).toFixed(1)} µs of CPU an exchange, while it was profiled`,
  );
  const [profile] = Array.from(Deno.readDirSync(profiles), ({ name }) => `${profiles}/${name}`);
  if (profile === undefined) throw new Error("The service has written no profile");
  return profile;
}

function format(cell: Cell, times: readonly SelfTime[]): string {
  return formatTable(
    `### time inside functions: ${describeCell(cell)}`,
    ["function", "ms", "share", "where"],
    times.slice(0, FUNCTIONS).map(({ name, milliseconds, share, where }) => [
      name,
      milliseconds.toFixed(0),
      `${(share * 100).toFixed(1)} %`,
      where.replace(ROOT, ""),
    ]),
  );
}

function print(text: string): void {
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.log(text.trimEnd());
}

await main();

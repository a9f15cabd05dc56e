/**
 * Where the service spends its time: runs it with V8's profiler, loads it with one cell of the benchmark, and
 * prints the functions with the most time inside them.
 *
 * Run: `deno task profile [CELL [SECONDS [FILE]]]`, for instance `deno task profile buffered-200-1x64 5`
 */
import { selectCells } from "./cells.ts";
import { placeProcesses } from "./cores.ts";
import { listSelfTimes } from "./cpu_profile.ts";
import { startLoader } from "./loader.ts";
import { createService, findPeers } from "./peers.ts";
import { findPort, startServer } from "./processes.ts";
import { formatTable } from "./report.ts";
import { toCpuMicros, toThroughput } from "./summary.ts";
import { startUpstream } from "./upstream.ts";

const FUNCTIONS = 40;
const ROOT = new URL("../../", import.meta.url).href;

const [word = "buffered-200-1x64", seconds = "5", file] = Deno.args;
const [cell] = selectCells(word).cells;
if (cell === undefined) throw new TypeError("Idle connections have no exchanges to profile");
const task = Deno.env.get("BENCH_START") || "start";

const folder = Deno.makeTempDirSync({ prefix: "wsfetch-profile-" });
try {
  const profile = await record(Number(seconds));
  if (file !== undefined) Deno.copyFileSync(profile, file);
  const times = listSelfTimes(
    JSON.parse(Deno.readTextFileSync(profile)),
    Number(seconds) * 1000,
  );
  print(formatTable(
    `### ${cell.name}: time inside functions`,
    ["function", "ms", "share", "where"],
    times.slice(0, FUNCTIONS).map(({ name, milliseconds, share, where }) => [
      name,
      milliseconds.toFixed(0),
      `${(share * 100).toFixed(1)} %`,
      where.replace(ROOT, ""),
    ]),
  ));
} finally {
  Deno.removeSync(folder, { recursive: true });
}

/** Gives the path of the profile. */
async function record(seconds: number): Promise<string> {}

/**
 * Compares the service with its peers: throughput, latency, CPU time and memory, side by side in rounds.
 *
 * Run: `deno task bench --help`
 */
import { placeProcesses } from "./cores.ts";
import { describeEnvironment } from "./environment.ts";
import { measureIdle } from "./idle.ts";
import { startLoader } from "./loader.ts";
import { type BenchOptions, HELP, parseOptions } from "./options.ts";
import { findPeers } from "./peers.ts";
import { killDescendants } from "./processes.ts";
import { formatEnvironment, formatIdle, formatSummary, formatTargets } from "./report.ts";
import { type CellResult, measureCell } from "./rounds.ts";
import { summarize } from "./summary.ts";
import { judgeTargets } from "./targets.ts";
import { startUpstream } from "./upstream.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

async function main(): Promise<void> {
  let options: BenchOptions | undefined;
  try {
    options = parseOptions(Deno.args, Deno.env.get("BENCH_START") || undefined);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    print(error.message);
    Deno.exit(2);
  }
  if (options === undefined) return print(HELP);
  const folder = Deno.makeTempDirSync({ prefix: "wsfetch-bench-" });
  const end = (): never => {
    killDescendants();
    Deno.removeSync(folder, { recursive: true });
    Deno.exit(130); // as a shell says that a signal has ended it
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, end);
  try {
    await run(options, folder);
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, end);
    killDescendants(); // when one server does not start, others may still be starting
    Deno.removeSync(folder, { recursive: true });
  }
}

async function run(options: BenchOptions, folder: string): Promise<void> {
  const placement = placeProcesses();
  await using upstream = await startUpstream({ folder, cores: placement.upstream });
  await using loader = startLoader(
    { cores: placement.loader, output: `${folder}/loader.log` },
    { DENO_CERT: upstream.certificates.ca },
  );
  const { peers, missing } = await findPeers({ ...options, folder, upstream });
  const environment = await describeEnvironment({ options, placement, upstream, peers, missing });
  print(formatEnvironment(environment));

  const rounds = { ...options, peers, loader, upstream, placement, folder };
  const shared = placement.loader === undefined ||
    placement.loader.join() === placement.upstream?.join();
  const results: CellResult[] = [];
  for (const cell of options.selection.cells) {
    const result = await measureCell(cell, rounds);
    results.push(result);
    print(formatSummary(summarize(result), shared));
  }
  const idle = options.selection.idle ? await measureIdle(rounds) : [];
  if (idle.length > 0) print(formatIdle(idle));
  const targets = judgeTargets(results, idle);
  if (targets.length > 0) print(formatTargets(targets));
  if (options.json === undefined) return;
  const cells = results.map((result) => ({ ...result, ...summarize(result) }));
  const text = JSON.stringify({ environment, cells, idle, targets }, null, 2);
  Deno.writeTextFileSync(options.json, `${text}\n`);
}

function print(text: string): void {
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.log(text.trimEnd());
}

await main();

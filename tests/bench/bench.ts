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
import { formatEnvironment, formatIdle, formatSummary, formatTargets } from "./report.ts";
import { type CellResult, measureCell } from "./rounds.ts";
import { summarize } from "./summary.ts";
import { judgeTargets } from "./targets.ts";
import { startUpstream } from "./upstream.ts";

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
  const stack = new AsyncDisposableStack();
  const end = async (): Promise<never> => {
    await stack.disposeAsync();
    Deno.exit(130); // as a shell says that a signal has ended it
  };
  Deno.addSignalListener("SIGINT", end);
  Deno.addSignalListener("SIGTERM", end);
  try {
    await run(options, stack);
  } finally {
    await stack.disposeAsync();
    Deno.removeSignalListener("SIGINT", end);
    Deno.removeSignalListener("SIGTERM", end);
  }
}

async function run(options: BenchOptions, stack: AsyncDisposableStack): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "wsfetch-bench-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const placement = placeProcesses();
  const upstream = stack.use(await startUpstream({ folder, cores: placement.upstream }));
  const loader = stack.use(
    startLoader({ cores: placement.loader, output: `${folder}/loader.log` }),
  );
  const { peers, missing } = await findPeers({ ...options, folder, upstreamPort: upstream.port });
  const environment = await describeEnvironment({ options, placement, upstream, peers, missing });
  print(formatEnvironment(environment));

  const rounds = { ...options, stack, peers, loader, upstream, placement, folder };
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

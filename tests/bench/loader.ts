/**
 * The load generator, seen from the benchmark: a process that does a job at a time.
 *
 * @module
 */
import type { IdleJob, IdleSample, LoadJob, Sample, TurnsJob, TurnsSample } from "./load/job.ts";
import { readLines } from "./load/lines.ts";
import { type Program, type RunOptions, startWorker } from "./processes.ts";

const PROGRAM = new URL("load/generator.ts", import.meta.url).pathname;

/** Makes load. */
export interface Loader extends AsyncDisposable {
  run(job: LoadJob): Promise<Sample>;
  takeTurns(job: TurnsJob): Promise<TurnsSample>;
  hold(job: IdleJob): Promise<IdleSample>;
}

/** Starts the load generator, with these variables in its environment. */
export function startLoader(options: RunOptions, env: Program["env"] = {}): Loader {
  const child = startWorker({ command: [Deno.execPath(), "run", "-A", PROGRAM], env }, options);
  const writer = child.stdin.getWriter();
  const lines = readLines(child.stdout);

  async function ask<Answer>(job: LoadJob | TurnsJob | IdleJob): Promise<Answer> {
    await writer.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
    const { value, done } = await lines.next();
    if (done) throw new Error(`The load generator has ended; ${options.output} says why`);
    const answer = JSON.parse(value);
    if ("error" in answer) throw new Error(answer.error);
    return answer;
  }

  return {
    run: (job) => ask<Sample>(job),
    takeTurns: (job) => ask<TurnsSample>(job),
    hold: (job) => ask<IdleSample>(job),
    async [Symbol.asyncDispose](): Promise<void> {
      await writer.close().catch(() => {}); // it may have ended by itself
      await child.status;
    },
  };
}

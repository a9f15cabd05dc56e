/**
 * The process that makes load: takes jobs as lines of JSON and answers with what it has seen.
 *
 * @module
 */
import { runIdleLoad } from "./idle.ts";
import type { IdleJob, IdleSample, LoadJob, Sample, TurnsJob, TurnsSample } from "./job.ts";
import { answerLines } from "./lines.ts";
import { runRawLoad } from "./raw.ts";
import { runFetchLoad } from "./through_fetch.ts";
import { runTurns } from "./turns.ts";

type Job = LoadJob | TurnsJob | IdleJob;
type Answer = Sample | TurnsSample | IdleSample;

await answerLines<Job, Answer | { readonly error: string }>(
  async (job) => {
    try {
      return await run(job);
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  },
);

function run(job: Job): Promise<Answer> {
  if ("steps" in job) return runIdleLoad(job);
  if ("ports" in job) return runTurns(job);
  return job.dialect === "fetch" || job.dialect === "client" ? runFetchLoad(job) : runRawLoad(job);
}

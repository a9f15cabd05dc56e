/**
 * The process that makes load: takes jobs as lines of JSON and answers with what it has seen.
 *
 * @module
 */
import { runIdleLoad } from "./idle.ts";
import type { IdleJob, IdleSample, LoadJob, Sample } from "./job.ts";
import { answerLines } from "./lines.ts";
import { runRawLoad } from "./raw.ts";
import { runFetchLoad } from "./through_fetch.ts";

await answerLines<LoadJob | IdleJob, Sample | IdleSample | { readonly error: string }>(
  async (job) => {
    try {
      return await run(job);
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  },
);

function run(job: LoadJob | IdleJob): Promise<Sample | IdleSample> {
  if ("steps" in job) return runIdleLoad(job);
  return job.dialect === "fetch" || job.dialect === "client" ? runFetchLoad(job) : runRawLoad(job);
}

/**
 * Counts answers while a round is measured, and reads what it costs.
 *
 * @module
 */
import { countCpu, readPeakBytes, resetPeak } from "../proc.ts";
import { quantile } from "../statistics.ts";
import { wait } from "../wait.ts";
import { hasRightBody } from "./check.ts";
import type { LoadJob, Sample } from "./job.ts";

// Until every connection has its exchanges in flight and the server is busy.
const SETTLE_MS = 200;

/** Takes note of answers. */
export interface Meter {
  /** An exchange has ended, so long after its request. */
  answered(milliseconds: number, failed: boolean): void;
  /** A connection has ended that should not have. */
  lost(): void;
}

/**
 * Makes one exchange to see whether its body is right, then runs a load, which goes on until its signal is aborted,
 * and measures it in between.
 */
export async function measure(
  job: LoadJob,
  run: (meter: Meter, signal: AbortSignal) => Promise<void>,
): Promise<Sample> {
  const { seconds, serverPids, upstreamPids } = job;
  let times: number[] = [];
  let failures = await hasRightBody(job) ? 0 : 1;
  const meter: Meter = {
    answered(milliseconds, failed): void {
      times.push(milliseconds);
      if (failed) failures++;
    },
    lost: () => void failures++,
  };
  const controller = new AbortController();
  const running = run(meter, controller.signal);
  await Promise.race([running, wait(SETTLE_MS)]);
  resetPeak(serverPids);
  const serverCpu = countCpu(serverPids);
  const upstreamCpu = countCpu(upstreamPids);
  const loaderCpu = countCpu([Deno.pid]);
  const startedAt = performance.now();
  times = [];
  await Promise.race([running, wait(seconds * 1000)]);
  const answers = times;
  const measured = (performance.now() - startedAt) / 1000;
  const cpu = {
    serverCpuSeconds: serverCpu(),
    upstreamCpuSeconds: upstreamCpu(),
    loaderCpuSeconds: loaderCpu(),
  };
  const peakBytes = readPeakBytes(serverPids);
  controller.abort();
  await running;
  return {
    exchanges: answers.length,
    failures,
    seconds: measured,
    p50Ms: quantile(answers, 0.5),
    p99Ms: quantile(answers, 0.99),
    ...cpu,
    peakBytes,
  };
}

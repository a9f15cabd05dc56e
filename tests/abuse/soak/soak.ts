/**
 * Fifty clients of every sort for minutes: each exchange is answered exactly once, none is taken for another, and
 * neither memory nor descriptors are left behind.
 *
 * @module
 */
import { readResidentBytes } from "../../bench/proc.ts";
import { pause } from "../../bench/role.ts";
import { startHttp } from "../../helpers/upstream.ts";
import { countDescriptors } from "../process_watch.ts";
import { startTarget } from "../target.ts";
import { Breaks } from "./breaks.ts";
import { runPlain, runV1 } from "./clients.ts";
import { answerSoak } from "./exchanges.ts";
import { createTally } from "./tally.ts";

const MIB = 1024 * 1024;
const MINUTE_MS = 60_000;
const CONNECTIONS = 50;
const SAMPLE_MS = 1000;
// The service learns of the last cancels of a break, and its destinations of what that ends.
const BREAK_MS = 300;
// Connections to destinations rest for a while.
const SETTLE_MS = 120_000;
const SPARE_DESCRIPTORS = 8;

// On SIGUSR1 the service collects its garbage and logs what is left. One collection only finds some of the buffers
// that the next one frees.
const PROBE = "data:application/javascript," + encodeURIComponent(`
  Deno.addSignalListener("SIGUSR1", async () => {
    for (let count = 0; count < 3; count++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { heapUsed, external } = Deno.memoryUsage();
    console.log(JSON.stringify({ event: "memory", bytes: heapUsed + external }));
  });
`);

/** What came of a soak. */
export interface SoakResult {
  readonly answers: ReadonlyMap<string, number>;
  readonly wrongs: ReadonlyMap<string, number>;
  /** Of the second half, in MiB a minute: what is resident, and what a collection leaves. */
  readonly slopes: { readonly resident: number; readonly held: number };
  readonly descriptors: { readonly before: number; readonly after: number };
  /** How the service ended on SIGTERM. */
  readonly end: string;
}

/** One measurement of memory. */
export interface Sample {
  readonly minutes: number;
  readonly mebibytes: number;
}

/** Runs the mix for so many minutes. */
export async function soak(minutes: number): Promise<SoakResult> {
  await using server = startHttp(answerSoak);
  let measured: (bytes: number) => void = () => {};
  await using service = await startTarget({
    settings: { ALLOW_HOSTS: "127.0.0.1:*" },
    flags: ["--v8-flags=--expose-gc", "--preload", PROBE],
    onLine(line): void {
      const [, bytes] = /"event":"memory","bytes":(\d+)/.exec(line) ?? [];
      if (bytes !== undefined) measured(Number(bytes));
    },
  });
  const { pid, port } = service;
  const url = `ws://127.0.0.1:${port}/ws`;

  async function readHeldBytes(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    measured = resolve;
    service.kill("SIGUSR1");
    return await promise;
  }

  async function readAtRest(): Promise<number> {
    await pause(BREAK_MS);
    return await readHeldBytes();
  }

  const tally = createTally();
  const before = countDescriptors(pid);
  const startedAt = performance.now();
  const end = startedAt + minutes * MINUTE_MS;
  const resident: Sample[] = [];
  const held: Sample[] = [];
  let mark = 0;
  const breaks = new Breaks();
  const shared = { origin: server.origin, url, tally, end, nextMark: () => ++mark, breaks };
  const clients = Array.from(
    { length: CONNECTIONS },
    (_, index) => index % 10 === 0 ? runPlain(shared) : runV1(shared, index % 5 === 1),
  );
  while (performance.now() < end) {
    await pause(SAMPLE_MS);
    const at = (performance.now() - startedAt) / MINUTE_MS;
    resident.push({ minutes: at, mebibytes: readResidentBytes([pid]) / MIB });
    if (resident.length % 10 === 0) {
      held.push({ minutes: at, mebibytes: await breaks.take(readAtRest) / MIB });
    }
  }
  await Promise.all(clients);
  const after = await settle(pid, before);
  service.kill("SIGTERM");
  return {
    answers: tally.answers,
    wrongs: tally.wrongs,
    slopes: { resident: slopeOf(resident), held: slopeOf(held) },
    descriptors: { before, after },
    end: await service.end,
  };
}

/** Waits until the descriptors are those of before, or for some seconds. */
async function settle(pid: number, descriptors: number): Promise<number> {
  const isAbove = (): boolean => countDescriptors(pid) > descriptors + SPARE_DESCRIPTORS;
  for (let waited = 0; waited < SETTLE_MS && isAbove(); waited += 100) {
    await pause(100);
  }
  return countDescriptors(pid);
}

/** Returns the slope of the second half of samples by least squares, in MiB a minute. */
export function slopeOf(samples: readonly Sample[]): number {
  const half = samples.slice(Math.floor(samples.length / 2));
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(half.map(({ minutes }) => minutes));
  const y = mean(half.map(({ mebibytes }) => mebibytes));
  const covariance = mean(half.map(({ minutes, mebibytes }) => (minutes - x) * (mebibytes - y)));
  return covariance / mean(half.map(({ minutes }) => (minutes - x) ** 2));
}

/** Formats the result. */
export function formatSoak({ answers, wrongs, slopes, descriptors, end }: SoakResult): string {
  const list = (counts: ReadonlyMap<string, number>): string =>
    [...counts].map(([name, count]) => `${count} × ${name}`).join(", ") || "none";
  return [
    `answered: ${list(answers)}`,
    `wrong: ${list(wrongs)}`,
    `memory in the second half: ${slopes.resident.toFixed(3)} MiB a minute resident, ` +
    `${slopes.held.toFixed(3)} held after a collection`,
    `descriptors: ${descriptors.before} → ${descriptors.after}`,
    `after SIGTERM: ${end}`,
  ].join("\n");
}

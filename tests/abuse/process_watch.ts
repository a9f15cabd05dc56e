/**
 * The memory and the descriptors of a process, and how long it waits for a processor, watched from outside.
 *
 * @module
 */
import { readPeakBytes, readResidentBytes } from "../bench/proc.ts";

const POLL_MS = 50;
const COUNT_MS = 250;

/** What was seen so far. */
export interface MemoryWatch extends Disposable {
  peakBytes(): number;
  /** The most descriptors that were seen open. */
  peakDescriptors(): number;
}

/** Watches a process; kills it when more than `guardBytes` are resident, for the sake of the machine. */
export function watchMemory(pid: number, guardBytes: number): MemoryWatch {
  let peak = 0;
  let descriptors = 0;
  const look = (): void => {
    peak = Math.max(peak, readPeakBytes([pid]), readResidentBytes([pid]));
    if (peak > guardBytes) kill(pid);
  };
  const count = (): void => void (descriptors = Math.max(descriptors, countDescriptors(pid)));
  const timers = [setInterval(look, POLL_MS), setInterval(count, COUNT_MS)];
  return {
    peakBytes(): number {
      look();
      return peak;
    },
    peakDescriptors: () => descriptors,
    [Symbol.dispose]: () => timers.forEach(clearInterval),
  };
}

/** Returns how many descriptors a process has open; 0 when it has ended. */
export function countDescriptors(pid: number): number {
  try {
    return Array.from(Deno.readDirSync(`/proc/${pid}/fd`)).length;
  } catch {
    return 0;
  }
}

/**
 * Begins to count how long threads of a process wait for a processor; what is returned tells it in seconds, of the
 * thread that has waited longest.
 */
export function countWaiting(pid: number): () => number {
  const before = readWaiting(pid);
  return () => {
    const waited = [...readWaiting(pid)].map(([id, time]) => time - (before.get(id) ?? 0));
    return Math.max(0, ...waited) / 1e9;
  };
}

/** Returns nanoseconds by the id of the thread (schedstat, Linux). */
function readWaiting(pid: number): ReadonlyMap<string, number> {
  const threads = new Map<string, number>();
  try {
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
      const text = Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`);
      threads.set(name, Number(text.split(" ")[1]));
    }
  } catch {
    // it has ended
  }
  return threads;
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // it has ended by itself
  }
}

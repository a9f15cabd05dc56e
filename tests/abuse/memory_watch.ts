/**
 * The memory and the descriptors of a process, watched from outside.
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

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // it has ended by itself
  }
}

/**
 * What a V8 CPU profile says about functions.
 *
 * @module
 */

/** A `.cpuprofile`, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number; // from 0
    };
  }[];
  /** The node that was running, at each sample. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** A function and the time inside it, without what it calls. */
export interface SelfTime {
  readonly name: string;
  /** File and line; empty for what is no JavaScript. */
  readonly where: string;
  readonly milliseconds: number;
  /** Of the time in which there was something to do. */
  readonly share: number;
}

// V8's names for time in which nothing ran.
const IDLE = "(idle)";

/** Gives the functions of a profile's last milliseconds, by the time inside them. */
export function listSelfTimes(
  { nodes, samples, timeDeltas }: CpuProfile,
  lastMilliseconds: number,
): readonly SelfTime[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, { name: string; where: string; micros: number }>();
  let micros = 0;
  let busy = 0;
  for (let i = samples.length - 1; i >= 0 && micros < lastMilliseconds * 1000; i--) {
    const delta = timeDeltas[i] ?? 0;
    const frame = frames.get(samples[i] ?? 0);
    micros += delta;
    if (frame === undefined || frame.functionName === IDLE) continue;
    busy += delta;
    const name = frame.functionName || "(anonymous)";
    const where = frame.url === "" ? "" : `${frame.url}:${frame.lineNumber + 1}`;
    const entry = times.get(`${name} ${where}`) ?? { name, where, micros: 0 };
    entry.micros += delta;
    times.set(`${name} ${where}`, entry);
  }
  return Array.from(times.values(), ({ name, where, micros }) => ({
    name,
    where,
    milliseconds: micros / 1000,
    share: micros / busy,
  })).toSorted((a, b) => b.milliseconds - a.milliseconds);
}

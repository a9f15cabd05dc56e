/**
 * A control group with a limit of memory (cgroup v1), beyond which the kernel ends the process.
 *
 * @module
 */

const CONTROLLER = "/sys/fs/cgroup/memory";

/** A group that exists until it is disposed of. */
export interface MemoryGroup extends Disposable {
  /** The file to which a process writes its id to join. */
  readonly members: string;
}

/** Creates a group; `undefined` where this process may not. */
export function createMemoryGroup(limitBytes: number): MemoryGroup | undefined {
  const path = `${CONTROLLER}/wsfetch-abuse-${crypto.randomUUID()}`;
  try {
    Deno.mkdirSync(path);
    Deno.writeTextFileSync(`${path}/memory.limit_in_bytes`, String(Math.ceil(limitBytes)));
  } catch {
    return undefined;
  }
  return {
    members: `${path}/cgroup.procs`,
    [Symbol.dispose](): void {
      try {
        Deno.removeSync(path);
      } catch {
        // a process in it has not quite ended: an empty group is left behind
      }
    },
  };
}

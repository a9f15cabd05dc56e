/**
 * What processes have used, as Linux's /proc says.
 *
 * @module
 */

const KIB = 1024;

/** Gives a process and everything that it has started, and they have. */
export function findTree(pid: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const fields = /^\d+$/.test(name) ? readFields(Number(name)) : undefined;
    const parent = Number(fields?.[1]);
    if (fields !== undefined) children.set(parent, [...children.get(parent) ?? [], Number(name)]);
  }
  const tree = [pid];
  for (const member of tree) tree.push(...children.get(member) ?? []);
  return tree;
}

/**
 * Begins to count the time that processes are on a CPU, and gives what says how long they have been, in seconds:
 * exactly for threads that sleep, and to a tick of the kernel (1 to 10 ms) for those that run. Of a thread that
 * has ended nothing is known.
 */
export function countCpu(pids: readonly number[]): () => number {
  const before = readThreads(pids);
  return () => {
    const spent = [...readThreads(pids)].map(([id, nanoseconds]) =>
      nanoseconds - (before.get(id) ?? 0)
    );
    return sum(spent) / 1e9;
  };
}

/** Gives the memory of processes that is resident now. */
export function readResidentBytes(pids: readonly number[]): number {
  return sum(pids.map((pid) => readStatus(pid, "VmRSS")));
}

/** Gives the most memory that was resident since the last {@linkcode resetPeak}. */
export function readPeakBytes(pids: readonly number[]): number {
  return sum(pids.map((pid) => readStatus(pid, "VmHWM")));
}

/** Lets the peak memory of processes begin anew, where the kernel does that. */
export function resetPeak(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      Deno.writeTextFileSync(`/proc/${pid}/clear_refs`, "5"); // "reset the peak", proc(5)
    } catch {
      // the peak is that of the process's life, then
    }
  }
}

/** By the id of the thread, nanoseconds on a CPU. */
function readThreads(pids: readonly number[]): ReadonlyMap<string, number> {
  const threads = new Map<string, number>();
  for (const pid of pids) {
    for (const id of list(`/proc/${pid}/task`)) {
      const [nanoseconds] = read(`/proc/${pid}/task/${id}/schedstat`)?.split(" ") ?? [];
      if (nanoseconds !== undefined) threads.set(id, Number(nanoseconds));
    }
  }
  return threads;
}

function list(folder: string): readonly string[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name);
  } catch {
    return []; // the process has ended
  }
}

/** The fields behind the program's name, which may have blanks and parentheses in it. */
function readFields(pid: number): readonly string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

function readStatus(pid: number, name: string): number {
  const text = read(`/proc/${pid}/status`) ?? "";
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * KIB;
}

function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined; // the process has ended
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

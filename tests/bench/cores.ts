/**
 * Which process runs on which core.
 *
 * @module
 */

/** The cores of each role; `undefined`: wherever the system likes. */
export interface Placement {
  readonly server?: readonly number[];
  /** Of a server that uses two. */
  readonly twoCores?: readonly number[];
  readonly loader?: readonly number[];
  readonly upstream?: readonly number[];
  /** What a reader of the results has to know. */
  readonly note: string;
}

/** Gives the server a core of its own, and the others as many as there are. */
export function placeProcesses(): Placement {
  const cores = findCores();
  const [server, loader, upstream = loader, second = loader] = cores;
  if (!hasTaskset() || server === undefined || loader === undefined || upstream === undefined) {
    return { note: "not pinned: there is one core, or no `taskset`" };
  }
  const shared = upstream === loader ? ", which they share" : "";
  return {
    server: [server],
    twoCores: [server, ...(second === undefined ? [] : [second])],
    loader: [loader],
    upstream: [upstream],
    note: `servers on core ${server}, the load generator on ${loader}, ` +
      `the upstream on ${upstream}${shared}`,
  };
}

/** The cores that this process may use: "0-1,4" in /proc. */
function findCores(): readonly number[] {
  const status = Deno.readTextFileSync("/proc/self/status");
  const list = /^Cpus_allowed_list:\s+(\S+)/m.exec(status)?.[1] ?? "";
  return list.split(",").flatMap((range) => {
    const [first = NaN, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

function hasTaskset(): boolean {
  try {
    return new Deno.Command("taskset", { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false; // it is not installed
  }
}

/**
 * Programs under measurement, each in a process of its own that ends with the benchmark.
 *
 * @module
 */
import { findTree } from "./proc.ts";
import { wait } from "./wait.ts";

const READY_POLL_MS = 20;
const READY_MS = 20_000;
// Raises the limit of file descriptors as far as it goes, and becomes the program.
const SHELL = 'ulimit -n "$(ulimit -Hn)"; exec "$@" >>"$OUTPUT" 2>&1';
const SHELL_PIPED = 'ulimit -n "$(ulimit -Hn)"; exec "$@" 2>>"$OUTPUT"';

/** A program to run. */
export interface Program {
  readonly command: readonly string[];
  readonly cwd?: string;
  /** All of its environment but for what every program gets. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Where a program runs and writes. */
export interface RunOptions {
  readonly cores: readonly number[] | undefined;
  /** The file that gets what it writes. */
  readonly output: string;
}

/** A program that listens. */
export interface ServerProcess extends AsyncDisposable {
  readonly port: number;
  /** Its process and everything that this has started. */
  pids(): readonly number[];
  /** Empties the file with what it has written. */
  forgetOutput(): void;
  /** Sends SIGTERM and waits until it has ended. */
  stop(): Promise<void>;
}

/** Starts a program and waits until it listens on the port. */
export async function startServer(
  program: Program,
  { port, ...options }: RunOptions & { readonly port: number },
): Promise<ServerProcess> {
  const child = spawn(program, SHELL, "null", options);
  const controller = new AbortController();
  const ended = child.status.then(() => {
    controller.abort();
  });

  async function kill(): Promise<void> {
    if (!controller.signal.aborted) killAll(findTree(child.pid));
    await ended;
  }

  try {
    await waitUntilListening(port, controller.signal);
  } catch (error) {
    await kill();
    const said = Deno.readTextFileSync(options.output).slice(-2000);
    throw new Error(`${program.command.join(" ")} did not start: ${said}`, { cause: error });
  }
  return {
    port,
    pids: () => findTree(child.pid),
    forgetOutput: () => Deno.truncateSync(options.output), // it is written by appending
    async stop(): Promise<void> {
      child.kill("SIGTERM");
      await ended;
    },
    [Symbol.asyncDispose]: kill,
  };
}

/** Starts a program that is spoken to over its standard streams; it has to end when its input does. */
export function startWorker(program: Program, options: RunOptions): Deno.ChildProcess {
  return spawn(program, SHELL_PIPED, "piped", options);
}

/** Runs a program to its end and gives what it wrote, or `undefined` if it failed or is not there. */
export async function ask(command: readonly string[]): Promise<string | undefined> {
  const [program = "", ...args] = command;
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
    const decoder = new TextDecoder();
    return success ? (decoder.decode(stdout) + decoder.decode(stderr)).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Gives a port that is free now. */
export function findPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Ends everything that this process has started. */
export function killDescendants(): void {
  killAll(findTree(Deno.pid).slice(1));
}

function spawn(
  { command, cwd, env = {} }: Program,
  shell: string,
  streams: "null" | "piped",
  { cores, output }: RunOptions,
): Deno.ChildProcess {
  const pin = cores === undefined ? [] : ["taskset", "-c", cores.join(",")];
  const kept = ["PATH", "HOME", "DENO_DIR"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return new Deno.Command("sh", {
    args: ["-c", shell, "sh", ...pin, ...command],
    clearEnv: true, // no proxy, and no setting of whoever runs the benchmark
    env: { ...Object.fromEntries(kept), ...env, OUTPUT: output },
    stdin: streams,
    stdout: streams,
    stderr: "null",
    ...(cwd !== undefined && { cwd }),
  }).spawn();
}

async function waitUntilListening(port: number, ended: AbortSignal): Promise<void> {
  for (const deadline = performance.now() + READY_MS; performance.now() < deadline;) {
    if (ended.aborted) throw new Error("The program has ended");
    try {
      using _connection = await Deno.connect({ hostname: "127.0.0.1", port });
      return;
    } catch {
      await wait(READY_POLL_MS); // it does not listen yet
    }
  }
  throw new Error("The program does not listen in time");
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // it has ended by itself
    }
  }
}

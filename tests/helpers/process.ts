/**
 * The service as users start it: a process of its own, with the flags of `deno task start`.
 *
 * @module
 */
import deno from "../../deno.json" with { type: "json" };
import { createLog, type Log } from "./log.ts";

const ROOT = new URL("../../", import.meta.url);

/** A service that runs in a process. */
export interface ServiceProcess extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  /** `ws://…/ws` */
  readonly url: string;
  /** `http://…` without a path. */
  readonly origin: string;
  readonly log: Log;
  kill(signal: Deno.Signal): void;
  readonly status: Promise<Deno.CommandStatus>;
}

/** What is added to the command. */
export interface CommandOptions {
  /** Behind the program. */
  readonly args?: readonly string[];
  /** Of `deno run`. */
  readonly flags?: readonly string[];
  /** A program, with its arguments, that runs the command. */
  readonly through?: readonly string[];
}

/** The command of `deno task start` with these settings and nothing else of this environment. */
export function startCommand(
  settings: Record<string, string>,
  { args = [], flags = [], through = [] }: CommandOptions = {},
): Deno.Command {
  const command = deno.tasks.start.command.split(" ");
  const assignments = command.slice(0, command.indexOf("deno"));
  const [run = "", ...words] = command.slice(assignments.length + 1);
  const kept = ["PATH", "HOME", "DENO_DIR", "DENO_COVERAGE_DIR"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  const [program = "", ...rest] = [...through, Deno.execPath(), run, ...flags, ...words, ...args];
  return new Deno.Command(program, {
    args: rest,
    cwd: ROOT,
    clearEnv: true,
    env: {
      ...Object.fromEntries(kept),
      ...Object.fromEntries(assignments.map((assignment) => assignment.split("="))),
      ...settings,
    },
    stdout: "piped",
    stderr: "piped",
  });
}

/** Starts the service on a free port and waits until it listens. */
export async function startProcess(
  settings: Record<string, string>,
  flags: readonly string[] = [],
  through: readonly string[] = [],
): Promise<ServiceProcess> {
  const child = startCommand({ PORT: "0", ...settings }, { flags, through }).spawn();
  const log = createLog();
  const reading = readLines(child.stdout, log.write);
  const complaints = child.stderr.text();
  const started = await Promise.race([
    log.logged("started"),
    complaints.then((text) => Promise.reject(new Error(`The service did not start: ${text}`))),
  ]);
  const { host, port } = new URL(String(started.url));
  let ended = false;
  const status = Promise.all([child.status, reading, complaints]).then(([status]) => {
    ended = true;
    return status;
  });
  return {
    pid: child.pid,
    port: Number(port),
    url: `ws://${host}/ws`,
    origin: `http://${host}`,
    log,
    kill: (signal) => child.kill(signal),
    status,
    async [Symbol.asyncDispose](): Promise<void> {
      if (!ended) child.kill("SIGKILL");
      await status;
    },
  };
}

/** Hands on each line of a stream until it ends. */
export async function readLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  }
}

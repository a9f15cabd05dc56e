/**
 * The service as its users start it: by the command of a task in deno.json.
 *
 * @module
 */
import deno from "../../deno.json" with { type: "json" };
import type { Mode } from "./cells.ts";
import type { Dialect } from "./load/job.ts";
import type { Program } from "./processes.ts";
import type { UpstreamPlace } from "./upstream.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** How the service is spoken to. */
export const SERVICE_DIALECTS: Readonly<Record<Mode, Dialect>> = {
  buffered: "v1",
  plain: "plain",
  streamed: "v1-streamed",
  client: "client",
};

/**
 * Gives the command of a task.
 *
 * @throws {TypeError} There is no such task.
 */
export function findCommand(task: string): string {
  const found = Object.entries(deno.tasks).find(([name]) => name === task);
  if (found === undefined) throw new TypeError(`There is no task ${JSON.stringify(task)}`);
  return found[1].command;
}

/** Gives several services in one process, by the command of a task but for its program, and its settings. */
export function createServices(
  task: string,
  { upstream, settings }: {
    readonly upstream: UpstreamPlace;
    readonly settings: readonly Readonly<Record<string, string>>[];
  },
): Program {
  const { command, env, ...program } = createService(task, { port: 0, upstream });
  return {
    ...program,
    command: [
      ...command.map((word) => word === "main.ts" ? "tests/bench/services.ts" : word),
      JSON.stringify(settings.map((each) => ({ ...env, ...each }))),
    ],
  };
}

/** Returns the peer `floor`, under the flags of a task. */
export function createFloor(
  task: string,
  options: { readonly port: number; readonly upstream: UpstreamPlace },
): Program {
  const { command, ...program } = createService(task, options);
  return {
    ...program,
    command: command.map((word) => word === "main.ts" ? "tests/bench/peers/floor_server.ts" : word),
  };
}

/** Gives the service as a task of deno.json starts it, with these flags of `deno run` and settings besides. */
export function createService(
  task: string,
  { port, upstream: { ports, certificates }, flags = [], settings = {} }: {
    readonly port: number;
    readonly upstream: UpstreamPlace;
    readonly flags?: readonly string[];
    readonly settings?: Readonly<Record<string, string>>;
  },
): Program {
  const words = findCommand(task).split(" ");
  const first = words.indexOf("deno"); // before it stand variables
  const [, run = "", ...rest] = words.slice(first);
  return {
    command: [Deno.execPath(), run, ...flags, ...rest],
    cwd: ROOT,
    env: {
      ...Object.fromEntries(words.slice(0, first).map((word) => word.split("="))),
      HOST: "127.0.0.1",
      PORT: String(port),
      LIMIT_CONNECTIONS: "0",
      ALLOW_HOSTS: `127.0.0.1:${ports.http},127.0.0.1:${ports.https}`,
      DENO_CERT: certificates.ca,
      ...settings,
    },
  };
}

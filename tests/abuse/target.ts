/**
 * The service under attack.
 *
 * @module
 */
import { readLines } from "../bench/load/lines.ts";
import { pause } from "../bench/role.ts";
import { startCommand } from "../helpers/process.ts";
import type { Surroundings } from "./attack.ts";
import { prepareSurroundings } from "./surroundings.ts";

const ALIVE_MS = 15_000;
const RETRY_MS = 100;

/** How the service is started. */
export interface TargetOptions {
  readonly settings: Readonly<Record<string, string>>;
  readonly surroundings?: Surroundings | undefined;
  /** The file of a control group. */
  readonly members?: string | undefined;
  /** Of `deno run`. */
  readonly flags?: readonly string[];
  /** Takes each line of the log but the first. */
  readonly onLine?: (line: string) => void;
}

/** A running service. */
export interface Target extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  kill(signal: Deno.Signal): void;
  /** How the process has ended; `undefined` while it runs. */
  ended(): string | undefined;
  /** Fulfils when the process has ended, with how. */
  readonly end: Promise<string>;
  /** Reports whether the service answers over HTTP, within 15 seconds. */
  isAlive(): Promise<boolean>;
}

/** Starts the service. Its log is read but not kept, unless the surroundings say that nobody reads it. */
export async function startTarget(
  { settings, surroundings = "plain", members, flags = [], onLine = () => {} }: TargetOptions,
): Promise<Target> {
  const setting = await prepareSurroundings(surroundings, members);
  const child = startCommand({ PORT: "0", ...settings }, { flags, through: setting.through })
    .spawn();
  let ended: string | undefined;
  const complaints = child.stderr.text();
  const end = Promise.all([child.status, complaints]).then(([{ code, signal }, text]) => {
    ended = `${signal ?? `exit ${code}`}${/heap limit/.test(text) ? " (heap limit)" : ""}`;
    return ended;
  });
  const lines = readLines(child.stdout);
  const { value } = await lines.next();
  if (typeof value !== "string") {
    throw new Error(`The service did not start: ${await complaints}`);
  }
  const port = Number(new URL(JSON.parse(value).url).port);
  const draining = surroundings === "unread log" ? Promise.resolve() : drain(lines, onLine);
  return {
    pid: child.pid,
    port,
    kill: (signal) => child.kill(signal),
    ended: () => ended,
    end,
    async isAlive(): Promise<boolean> {
      for (const end = performance.now() + ALIVE_MS; performance.now() < end;) {
        if (ended !== undefined) return false;
        if (await isHealthy(port)) return true;
        await pause(RETRY_MS);
      }
      return false;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      if (ended === undefined) child.kill("SIGKILL");
      await end;
      await draining;
      await lines.return(undefined);
      await setting[Symbol.asyncDispose]();
    },
  };
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ALIVE_MS);
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // for want of descriptors it may not listen for a moment
  }
}

async function drain(
  lines: AsyncGenerator<string>,
  take: (line: string) => void,
): Promise<void> {
  for await (const line of lines) take(line);
}

/**
 * The arguments of the suite.
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { Attack } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";

const MIB = 1024 * 1024;
const ALONE_SECONDS = 5;

/** What to run. */
export interface AbuseOptions {
  readonly attacks: readonly Attack[];
  readonly workers: readonly number[];
  readonly memoryBytes: readonly number[];
  readonly seconds: number | undefined;
  readonly aloneSeconds: number;
  readonly hasGroup: boolean;
  readonly hasTokens: boolean;
  /** Runs the mix instead, for so many minutes. */
  readonly soakMinutes: number | undefined;
}

/** What `--help` prints. */
export const HELP = `Attacks the service and measures what others notice of it

Usage: deno task abuse [options]

  --workers LIST   WORKERS of the service (1)
  --memory LIST    MEMORY_BYTES of the service, in MiB (512)
  --only NAME      attacks whose names begin so; may be given several times
  --seconds N      of each attack (each its own: 10 or 20)
  --tokens         the attacker has a token, and there is a second victim with another one
  --cgroup         the kernel ends a service with 15 % more memory than MEMORY_BYTES (root, cgroup v1)
  --list           prints the attacks
  --soak MINUTES   runs a mix of well- and ill-behaved clients instead

The service, the attacker, its destination and each victim are processes of their own. A victim sends small
requests to a server of its own, 200 a second on 4 connections, and opens a connection twice a second.
A response that is late also counts for the requests that it has kept from being sent. The first row has no
attack: what it says is due to the machine, as is what a row says whose service had no processor for long.
An attack is held if the service is up, takes at most 15 % more memory than MEMORY_BYTES, and each victim
is answered every time, with a p99 that is at most 50 ms longer than before.
`;

/**
 * Parses the arguments.
 *
 * @returns What to run, or a text to print instead.
 * @throws {TypeError} An argument is unknown or not valid.
 */
export function parseOptions(args: readonly string[]): AbuseOptions | string {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      workers: text,
      memory: text,
      only: { ...text, multiple: true },
      seconds: text,
      soak: text,
      tokens: flag,
      cgroup: flag,
      list: flag,
      help: flag,
    },
  });
  if (values.help) return HELP;
  if (values.list) return ATTACKS.map(({ name, does }) => `${name}: ${does}\n`).join("");
  const seconds = values.seconds === undefined ? undefined : parseNumber(values.seconds);
  return {
    attacks: select(values.only ?? [""]),
    workers: parseNumbers(values.workers ?? "1"),
    memoryBytes: parseNumbers(values.memory ?? "512").map((mebibytes) => mebibytes * MIB),
    seconds,
    aloneSeconds: Math.min(ALONE_SECONDS, seconds ?? ALONE_SECONDS),
    hasGroup: values.cgroup,
    hasTokens: values.tokens,
    soakMinutes: values.soak === undefined ? undefined : parseNumber(values.soak),
  };
}

function select(beginnings: readonly string[]): readonly Attack[] {
  const unknown = beginnings.find((text) => !ATTACKS.some(({ name }) => name.startsWith(text)));
  if (unknown !== undefined) throw new TypeError(`There is no attack ${JSON.stringify(unknown)}`);
  return ATTACKS.filter(({ name }) => beginnings.some((text) => name.startsWith(text)));
}

function parseNumbers(text: string): readonly number[] {
  return text.split(",").map(parseNumber);
}

function parseNumber(text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new TypeError(`${JSON.stringify(text)} must be a number above 0`);
}

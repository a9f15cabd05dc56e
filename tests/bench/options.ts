/**
 * The arguments of the benchmark.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { selectCells, type Selection } from "./cells.ts";
import { PEER_NAMES, type PeerName } from "./peers.ts";
import { findCommand } from "./service.ts";

/** What to measure and how. */
export interface BenchOptions {
  readonly selection: Selection;
  readonly only: ReadonlySet<PeerName>;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  readonly holdSeconds: number;
  /** The file for the results as JSON. */
  readonly json: string | undefined;
  /** Another task that starts the service. */
  readonly start: string | undefined;
}

/** What `--help` prints. */
export const HELP = `Compares the service with its peers, side by side on this machine

Usage: deno task bench [options]

  --cells LIST    quick (default), full, small, https, idle, or beginnings of names
                  (buffered-200-1x64,https-streamed)
  --only LIST     of ${PEER_NAMES.join(", ")}
  --rounds N      rounds over all peers (3)
  --seconds N     of each peer in a round (1)
  --warm N        seconds before the first round (1)
  --hold N        seconds that idle connections are held (5)
  --full          every cell, 7 rounds of 2 seconds, 60 seconds of idle connections
  --start TASK    another task of deno.json that starts the service, beside the usual one, on two
                  cores; also as BENCH_START
  --json FILE     writes every sample and what follows from them

Names of cells: [https-]KIND-BYTES-CONNECTIONSxIN_FLIGHT. With https- the destination is reached over
TLS, with a certificate that every server verifies. KIND is buffered, plain (the dialect), streamed,
client (through client.fetch), or close: buffered, with a destination that closes each connection
after its response. The group https has every cell over TLS, and close over TCP to compare with.

Servers: ours is the service; fetch is the service with HTTP_CLIENT=fetch; http, in cells over TLS, is
the service with the same exchanges over TCP; bare is a loop around fetch; floor is a loop around
TCP or TLS that sends the frames of the service, without its checks, limits and log.
`;

/**
 * Gives what the arguments say; `undefined`: help is asked for.
 *
 * @throws {TypeError} An argument is unknown or wrong.
 */
export function parseOptions(
  args: readonly string[],
  environmentStart: string | undefined,
): BenchOptions | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      cells: text,
      only: text,
      rounds: text,
      seconds: text,
      warm: text,
      hold: text,
      start: text,
      json: text,
      full: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const { full, start = environmentStart } = values;
  if (start !== undefined) findCommand(start);
  return {
    selection: selectCells(values.cells ?? (full ? "full" : "quick")),
    only: new Set(values.only?.split(",").map(parsePeer) ?? PEER_NAMES),
    rounds: parseNumber("--rounds", values.rounds ?? (full ? "7" : "3")),
    seconds: parseNumber("--seconds", values.seconds ?? (full ? "2" : "1")),
    warmSeconds: parseNumber("--warm", values.warm ?? (full ? "3" : "1")),
    holdSeconds: parseNumber("--hold", values.hold ?? (full ? "60" : "5")),
    json: values.json,
    start,
  };
}

function parsePeer(text: string): PeerName {
  const found = PEER_NAMES.find((name) => name === text);
  if (found === undefined) {
    throw new TypeError(`There is no peer ${JSON.stringify(text)}: ${PEER_NAMES.join(", ")}`);
  }
  return found;
}

function parseNumber(name: string, text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new TypeError(`${name} must be a number above 0`);
}

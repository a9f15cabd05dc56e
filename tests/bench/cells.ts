/**
 * What is measured: kinds of exchanges, sizes of bodies, connections and exchanges in flight.
 *
 * @module
 */

/** A kind of exchange; peers take part in those that they have. */
export type Mode = "buffered" | "plain" | "streamed" | "client";

/** One line of the results for each server. */
export interface Cell {
  /** What `--cells` calls it. */
  readonly name: string;
  readonly mode: Mode;
  readonly bodyBytes: number;
  readonly connections: number;
  /** Exchanges of each connection at a time. */
  readonly inFlight: number;
}

/** What a run measures. */
export interface Selection {
  readonly cells: readonly Cell[];
  /** Idle connections too. */
  readonly idle: boolean;
}

type Shape = readonly [connections: number, inFlight: number];

const SMALL = 200;
const MEDIUM = 10_240;
const LARGE = 1_048_576;
const SHAPES: readonly Shape[] = [[1, 1], [1, 64], [50, 1], [50, 16], [500, 1]];
const IDLE = "idle";

const CELLS: readonly Cell[] = [
  ...createCells("buffered", SMALL, SHAPES),
  ...createCells("buffered", MEDIUM, SHAPES),
  ...createCells("buffered", LARGE, [[1, 1], [1, 16], [50, 1]]),
  ...createCells("plain", SMALL, SHAPES),
  // The bare loop's chunks do not say whose they are: one exchange of a connection at a time.
  ...createCells("streamed", MEDIUM, [[1, 1], [50, 1]]),
  ...createCells("streamed", LARGE, [[1, 1], [50, 1]]),
  ...createCells("client", SMALL, [[1, 1], [1, 64]]),
  ...createCells("client", MEDIUM, [[1, 64]]),
];

/** Names for several cells. Any other word selects the cells whose names begin with it. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  full: ["buffered", "plain", "streamed", "client", IDLE],
  small: ["buffered-200-"],
  quick: [
    "buffered-200-",
    "buffered-10240-50x1",
    "buffered-1048576-1x1",
    "plain-200-1x64",
    "streamed-1048576-1x1",
    "client-200-1x64",
    IDLE,
  ],
};

/**
 * Gives what a list of names and groups selects.
 *
 * @throws {TypeError} A word selects nothing.
 */
export function selectCells(list: string): Selection {
  const words = list.split(",").flatMap((word) => GROUPS[word] ?? [word]);
  for (const word of words) {
    if (word !== IDLE && !CELLS.some(({ name }) => name.startsWith(word))) {
      throw new TypeError(
        `There is no cell ${JSON.stringify(word)}; there are ${Object.keys(GROUPS).join(", ")}, ` +
          `${IDLE}, ${CELLS.map(({ name }) => name).join(", ")}`,
      );
    }
  }
  return {
    cells: CELLS.filter(({ name }) => words.some((word) => isSelected(name, word))),
    idle: words.includes(IDLE),
  };
}

/** Says what a cell is, for a person. */
export function describeCell({ mode, bodyBytes, connections, inFlight }: Cell): string {
  return `${mode}, ${formatSize(bodyBytes)}, (${connections}, ${inFlight})`;
}

/** A whole name is not the beginning of others: `50x1` of `50x16`. */
function isSelected(name: string, word: string): boolean {
  return CELLS.some((cell) => cell.name === word) ? name === word : name.startsWith(word);
}

function formatSize(bytes: number): string {
  if (bytes >= LARGE) return `${bytes / LARGE} MiB`;
  return bytes >= 1024 ? `${bytes / 1024} KB` : `${bytes} B`;
}

function createCells(mode: Mode, bodyBytes: number, shapes: readonly Shape[]): readonly Cell[] {
  return shapes.map(([connections, inFlight]) => ({
    name: `${mode}-${bodyBytes}-${connections}x${inFlight}`,
    mode,
    bodyBytes,
    connections,
    inFlight,
  }));
}

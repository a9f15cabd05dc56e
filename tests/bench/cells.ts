/**
 * What is measured: kinds of exchanges, sizes of bodies, connections and exchanges in flight.
 *
 * @module
 */

/** How the destination is reached: over TCP, or over TLS. */
export type Scheme = "http" | "https";

/** A kind of exchange; peers take part in those that they have. */
export type Mode = "buffered" | "plain" | "streamed" | "client";

/** One line of the results for each server. */
export interface Cell {
  /** What `--cells` calls it. */
  readonly name: string;
  readonly scheme: Scheme;
  readonly mode: Mode;
  /** Whether the destination keeps connections; otherwise each exchange needs a new one. */
  readonly keepsAlive: boolean;
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
const FEW_SHAPES: readonly Shape[] = [[1, 1], [1, 16], [50, 1]];
const IDLE = "idle";

const CELLS: readonly Cell[] = [
  ...createCells("buffered", SMALL, SHAPES),
  ...createCells("buffered", MEDIUM, SHAPES),
  ...createCells("buffered", LARGE, FEW_SHAPES),
  ...createCells("plain", SMALL, SHAPES),
  // The bare loop's chunks do not say whose they are: one exchange of a connection at a time.
  ...createCells("streamed", MEDIUM, [[1, 1], [50, 1]]),
  ...createCells("streamed", LARGE, [[1, 1], [50, 1]]),
  ...createCells("client", SMALL, [[1, 1], [1, 64]]),
  ...createCells("client", MEDIUM, [[1, 64]]),
  ...toClosing(createCells("buffered", SMALL, FEW_SHAPES)),
  ...toHttps(createCells("buffered", SMALL, SHAPES)),
  ...toHttps(createCells("buffered", MEDIUM, [[1, 64], [50, 1]])),
  ...toHttps(createCells("buffered", LARGE, [[1, 1], [50, 1]])),
  ...toHttps(createCells("plain", SMALL, [[1, 64], [50, 1]])),
  ...toHttps(createCells("streamed", LARGE, [[1, 1], [50, 1]])),
  ...toHttps(createCells("client", SMALL, [[1, 1], [1, 64]])),
  ...toHttps(toClosing(createCells("buffered", SMALL, FEW_SHAPES))),
];

/** Names for several cells. Any other word selects the cells whose names begin with it. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  full: ["buffered", "plain", "streamed", "client", "close", "https-", IDLE],
  small: ["buffered-200-", "https-buffered-200-"],
  https: ["https-", "close-"],
  quick: [
    "buffered-200-",
    "buffered-10240-50x1",
    "buffered-1048576-1x1",
    "plain-200-1x64",
    "streamed-1048576-1x1",
    "client-200-1x64",
    "https-buffered-200-1x64",
    "https-buffered-200-50x1",
    "https-streamed-1048576-1x1",
    "https-close-200-1x16",
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
export function describeCell(
  { scheme, mode, keepsAlive, bodyBytes, connections, inFlight }: Cell,
): string {
  return [
    ...(scheme === "https" ? ["https"] : []),
    mode,
    ...(keepsAlive ? [] : ["one exchange for each connection to the destination"]),
    formatSize(bodyBytes),
    `(${connections}, ${inFlight})`,
  ].join(", ");
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
    scheme: "http",
    mode,
    keepsAlive: true,
    bodyBytes,
    connections,
    inFlight,
  }));
}

/** The same over TLS. */
function toHttps(cells: readonly Cell[]): readonly Cell[] {
  return cells.map((cell) => ({ ...cell, name: `https-${cell.name}`, scheme: "https" }));
}

/** The same with a destination that closes each connection after its response. */
function toClosing(cells: readonly Cell[]): readonly Cell[] {
  return cells.map((cell) => ({
    ...cell,
    name: cell.name.replace(cell.mode, "close"),
    keepsAlive: false,
  }));
}

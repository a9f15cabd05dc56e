/**
 * Numbers by key in memory that several isolates share.
 *
 * @module
 */
import { createMutex } from "./mutex.ts";

/** The memory of a table. */
export interface TableMemory {
  /** Who is at it. */
  readonly word: Int32Array<ArrayBufferLike>;
  /** Of each row, what stands for its key, and its numbers. */
  readonly rows: Float64Array<ArrayBufferLike>;
  /** Numbers of a row. */
  readonly columns: number;
  /** Makes what stands for a key another in each process, so that nobody finds two keys that share a row. */
  readonly seed: number;
}

/** A table, as one isolate uses it. */
export interface SharedTable {
  /**
   * Does something with the row of a key, while no other isolate does anything with the table: the numbers are
   * at `at` and behind it, and all 0 when the key is new. Gives `undefined` when every row is in use.
   */
  use<T>(key: string, action: (at: number) => T): T | undefined;
  /** Does something with a row that is known and in use. */
  useRow(at: number, action: (at: number) => void): void;
}

/** Who uses a table and how. */
export interface TableOptions {
  /** This isolate's number, above 0. */
  readonly self: number;
  /** How much a row is worth keeping: 0, and another key may have it; `Infinity`, and none ever does. */
  readonly rank: (at: number) => number;
}

const MAX_SEED = 2 ** 32;
// A key is at one of so many rows; with a quarter of all in use they are never all taken.
const PROBES = 64;

/** Makes room for so many keys; memory that no key has come to is not taken from the system. */
export function allocateTable(
  { keys, columns }: { readonly keys: number; readonly columns: number },
): TableMemory {
  const count = 2 ** Math.ceil(Math.log2(4 * keys));
  const [{ BYTES_PER_ELEMENT: wordBytes }, { BYTES_PER_ELEMENT: bytes }] = [
    Int32Array,
    Float64Array,
  ];
  return {
    word: new Int32Array(new SharedArrayBuffer(wordBytes)),
    rows: new Float64Array(new SharedArrayBuffer(count * (1 + columns) * bytes)),
    columns,
    seed: Math.floor(Math.random() * MAX_SEED),
  };
}

/** Creates a {@linkcode SharedTable}. */
export function createSharedTable(
  { word, rows, columns, seed }: TableMemory,
  { self, rank }: TableOptions,
): SharedTable {
  const width = 1 + columns;
  const mask = rows.length / width - 1;
  const mutex = createMutex({ word, self });

  /** Gives where the numbers of a key are. */
  function find(key: string): number | undefined {
    const id = hash(key, seed);
    let worst: number | undefined;
    let least = Infinity;
    for (let probe = 0; probe < PROBES; probe++) {
      const at = ((id + probe) & mask) * width;
      if (rows[at] === id) return at + 1;
      const worth = rows[at] === 0 ? 0 : rank(at + 1);
      if (worth < least) [worst, least] = [at, worth];
      if (rows[at] === 0) break; // it never was any farther
    }
    if (worst === undefined) return undefined;
    rows.fill(0, worst, worst + width);
    rows[worst] = id;
    return worst + 1;
  }

  return {
    use: (key, action) =>
      mutex(() => {
        const at = find(key);
        return at === undefined ? undefined : action(at);
      }),
    useRow: (at, action) => mutex(() => action(at)),
  };
}

/** Gives a whole number from 1 to 2⁵³ - 1 that stands for a text: two of 32 bits that mix all characters. */
function hash(text: string, seed: number): number {
  let high = 0xdeadbeef ^ seed;
  let low = 0x41c6ce57 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return (high & 0x1fffff) * MAX_SEED + (low >>> 0) || 1;
}

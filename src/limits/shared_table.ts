/**
 * A hash table of numbers by key, in memory that several isolates share.
 *
 * @module
 */
import { createMutex } from "./mutex.ts";

/** The memory of a table. */
export interface TableMemory {
  /** The lock of the table: 0, or the number of the isolate that holds it. */
  readonly word: Int32Array<ArrayBufferLike>;
  /** For each row, the hash of its key, then its numbers. A hash of 0: the row was never used. */
  readonly rows: Float64Array<ArrayBufferLike>;
  /** How many numbers a row has. */
  readonly columns: number;
  /** Makes hashes differ from process to process, so that clients cannot choose keys that share a row. */
  readonly seed: number;
}

/** A table, as one isolate uses it. Offsets are positions in {@linkcode TableMemory.rows}. */
export interface SharedTable {
  /**
   * Runs an action on the row of a key while no other isolate uses the table. The numbers of the row start
   * at the offset; all of them are 0 when the key is new. Returns `undefined` when every row is in use.
   */
  use<T>(key: string, action: (at: number) => T): T | undefined;
  /** Runs an action on a row that is in use, by the offset that `use` found. */
  useRow(at: number, action: (at: number) => void): void;
}

/** How an isolate uses a table. */
export interface TableOptions {
  /** This isolate's number, above 0. */
  readonly owner: number;
  /**
   * Returns how much the row at an offset is worth keeping. Another key may take a row that is worth 0;
   * no other key ever takes one that is worth `Infinity`.
   */
  readonly rank: (at: number) => number;
}

const MAX_SEED = 2 ** 32;
// How many rows a key can be in. At most a quarter of all rows is in use, so that one of them is free.
const PROBES = 64;

/** Allocates a table for so many keys. The system provides memory when rows are used. */
export function allocateTable(
  { keys, columns }: { readonly keys: number; readonly columns: number },
): TableMemory {
  const count = 2 ** Math.ceil(Math.log2(4 * keys));
  const length = count * (1 + columns);
  return {
    word: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
    rows: new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT)),
    columns,
    seed: Math.floor(Math.random() * MAX_SEED),
  };
}

/** Creates a {@linkcode SharedTable}. */
export function createSharedTable(
  { word, rows, columns, seed }: TableMemory,
  { owner, rank }: TableOptions,
): SharedTable {
  const width = 1 + columns;
  const mask = rows.length / width - 1;
  const mutex = createMutex(word, owner);

  /** Returns the offset of a key's numbers. A new key takes the row that is worth least. */
  function find(key: string): number | undefined {
    const id = hash(key, seed);
    let worst: number | undefined;
    let least = Infinity;
    for (let probe = 0; probe < PROBES; probe++) {
      const start = ((id + probe) & mask) * width;
      if (rows[start] === id) return start + 1;
      const worth = rows[start] === 0 ? 0 : rank(start + 1);
      if (worth < least) [worst, least] = [start, worth];
      if (rows[start] === 0) break; // no row after one that was never used has this key
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

/** Returns an integer from 1 to 2⁵³ - 1: two hashes of 32 bits, each of all characters. */
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

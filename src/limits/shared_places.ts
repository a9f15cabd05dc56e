/**
 * Places for each key that several isolates count together.
 *
 * @module
 */
import { createLease, type Lease, type Places } from "./places.ts";
import { createSharedTable, type TableMemory } from "./shared_table.ts";

/**
 * Creates `max` places for each key. Each isolate has its own column, so that the places of one that ended
 * can be given back.
 *
 * @param memory A table with one column for each isolate.
 * @param index The column of this isolate.
 */
export function createSharedPlaces(max: number, memory: TableMemory, index: number): Places {
  const { rows, columns } = memory;
  const table = createSharedTable(memory, {
    owner: index + 1,
    rank: (at) => count(at) > 0 ? Infinity : 0,
  });

  function count(at: number): number {
    let taken = 0;
    for (let column = at; column < at + columns; column++) taken += rows[column] ?? 0;
    return taken;
  }

  function add(at: number, places: number): void {
    rows[at + index] = (rows[at + index] ?? 0) + places;
  }

  function takeAt(at: number): number | undefined {
    if (count(at) >= max) return undefined;
    add(at, 1);
    return at;
  }

  return {
    take(key): Lease | undefined {
      const at = table.use(key, takeAt);
      if (at === undefined) return undefined;
      return createLease(() => table.useRow(at, () => add(at, -1)));
    },
  };
}

/** Gives back all places of an isolate that ended. */
export function giveBackPlaces({ rows, columns }: TableMemory, index: number): void {
  for (let at = 1 + index; at < rows.length; at += 1 + columns) {
    if (rows[at] !== 0) rows[at] = 0; // the system allocates pages that are written, not those that are read
  }
}

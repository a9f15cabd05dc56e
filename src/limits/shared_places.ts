/**
 * Places of each key that several isolates count together.
 *
 * @module
 */
import type { Lease, Places } from "./places.ts";
import { createSharedTable, type TableMemory } from "./shared_table.ts";

/**
 * Creates so many places for each key. Each isolate has a column of its own, so that one that dies gives its places
 * back.
 *
 * @param memory Of as many columns as there are isolates.
 * @param index Which of them this is.
 */
export function createSharedPlaces(
  max: number,
  memory: TableMemory,
  index: number,
): Pick<Places, "take"> {
  const { rows, columns } = memory;
  const table = createSharedTable(memory, {
    self: index + 1,
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
      let held = true;
      return {
        [Symbol.dispose](): void {
          if (held) table.useRow(at, () => add(at, -1));
          held = false;
        },
      };
    },
  };
}

/** Gives back all places of an isolate that has died. */
export function giveBackPlaces({ rows, columns }: TableMemory, index: number): void {
  for (let at = 1 + index; at < rows.length; at += 1 + columns) {
    if (rows[at] !== 0) rows[at] = 0; // what was never written to is not taken from the system by reading
  }
}

/**
 * The ids of a connection's exchanges.
 *
 * @module
 */
import { MAX_ID } from "../protocol/mod.ts";

/**
 * Creates a function that gives the next id: they count up, begin again at 1 after the last one, and skip
 * those that are in use.
 *
 * @param first The first id.
 */
export function createIds(first = 1): (inUse: Readonly<Record<number, unknown>>) => number {
  let id = first - 1;
  return (inUse) => {
    do id = id >= MAX_ID ? 1 : id + 1; while (inUse[id] !== undefined);
    return id;
  };
}

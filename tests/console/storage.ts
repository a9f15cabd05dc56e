/**
 * A storage in memory.
 *
 * @module
 */
import type { HistoryStorage } from "../../src/console/history.ts";

/** Creates a storage in memory, and a function that returns what is stored. */
export function createStorage(first?: string): {
  readonly storage: HistoryStorage;
  readonly stored: () => string;
} {
  const items = new Map<string, string>(first === undefined ? [] : [["wsfetch.history", first]]);
  return {
    storage: {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => void items.set(key, value),
      removeItem: (key) => void items.delete(key),
    },
    stored: () => [...items.values()].join(""),
  };
}

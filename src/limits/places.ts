/**
 * Places that are taken and given back, so many a key.
 *
 * @module
 */

/** What is held until it is disposed of; the second time does nothing. */
export type Lease = Disposable;

/** The places of every key. */
export interface Places {
  /** Keys that hold a place; no other is remembered. */
  readonly keys: number;
  /** Takes a place until the lease is disposed of, or gives `undefined` when the key holds them all. */
  take(key: string): Lease | undefined;
}

/** What places are for. */
export type PlacesName = "connections" | "exchanges";

/** Creates so many {@linkcode Places} for each key. */
export type CreatePlaces = (max: number, name: PlacesName) => Pick<Places, "take">;

/** What is held where nothing is counted: shared, so that it costs nothing. */
const FREE: Lease = Object.freeze({ [Symbol.dispose](): void {} });

/** Creates so many places for each key; 0: no limit, and nothing is counted. */
export function createPlaces(max: number): Places {
  const counts = new Map<string, number>();

  function give(key: string): void {
    const left = (counts.get(key) ?? 0) - 1;
    if (left > 0) counts.set(key, left);
    else counts.delete(key);
  }

  return {
    get keys(): number {
      return counts.size;
    },
    take(key: string): Lease | undefined {
      if (max === 0) return FREE;
      const count = counts.get(key) ?? 0;
      if (count >= max) return undefined;
      counts.set(key, count + 1);
      let held = true;
      return {
        [Symbol.dispose](): void {
          if (held) give(key);
          held = false;
        },
      };
    },
  };
}

/**
 * A limited number of places for each key: taken, and given back.
 *
 * @module
 */

/** A place that is held until the lease is disposed of. Disposing of a lease again has no effect. */
export type Lease = Disposable;

/** The places of all keys. */
export interface Places {
  /** Takes a place of a key until the lease is disposed of. Returns `undefined` when all are taken. */
  take(key: string): Lease | undefined;
}

/** Places that are counted in this isolate's memory. */
export interface LocalPlaces extends Places {
  /** How many keys are remembered: those that hold a place. */
  readonly keys: number;
}

/** What places are for. */
export type PlacesName = "connections" | "exchanges";

/** Creates {@linkcode Places}, `max` for each key. In shared memory, the name selects the table. */
export type CreatePlaces = (max: number, name: PlacesName) => Places;

/** A lease that calls its function once. A class, since every exchange may have one. */
class ReleaseOnce implements Lease {
  #release: (() => void) | undefined;

  constructor(release: () => void) {
    this.#release = release;
  }

  [Symbol.dispose](): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }
}

// Shared by all keys where nothing is limited, so that it costs nothing.
const UNLIMITED: Lease = Object.freeze({ [Symbol.dispose](): void {} });

/** Creates a {@linkcode Lease} that calls `release` when it is disposed of for the first time. */
export function createLease(release: () => void): Lease {
  return new ReleaseOnce(release);
}

/** Creates `max` places for each key. If `max` is 0, there is no limit and nothing is counted. */
export function createPlaces(max: number): LocalPlaces {
  const counts = new Map<string, number>();

  function giveBack(key: string): void {
    const left = (counts.get(key) ?? 0) - 1;
    if (left > 0) counts.set(key, left);
    else counts.delete(key);
  }

  return {
    get keys(): number {
      return counts.size;
    },
    take(key): Lease | undefined {
      if (max === 0) return UNLIMITED;
      const count = counts.get(key) ?? 0;
      if (count >= max) return undefined;
      counts.set(key, count + 1);
      return createLease(() => giveBack(key));
    },
  };
}

/**
 * What a soak has seen.
 *
 * @module
 */

/** Counts of exchanges. */
export interface Tally {
  /** An exchange was answered rightly. */
  answered(kind: string): void;
  /** Something is wrong: no, a second or another's answer. */
  wrong(what: string): void;
  readonly answers: ReadonlyMap<string, number>;
  readonly wrongs: ReadonlyMap<string, number>;
}

/** Creates an empty {@linkcode Tally}. */
export function createTally(): Tally {
  const answers = new Map<string, number>();
  const wrongs = new Map<string, number>();
  const add = (map: Map<string, number>, key: string): void => {
    map.set(key, (map.get(key) ?? 0) + 1);
  };
  return {
    answered: (kind) => add(answers, kind),
    wrong: (what) => add(wrongs, what),
    answers,
    wrongs,
  };
}

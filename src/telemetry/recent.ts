/**
 * What was made lately from texts, to be used again.
 *
 * @module
 */

/**
 * Keeps values by a text. A value that is used stays; one that is not is dropped once as many others were used, so
 * that little is kept of what has ended.
 */
export class Recent<Value> {
  readonly #max: number;
  #newer = new Map<string, Value>();
  #older = new Map<string, Value>();

  /** @param max How many values are kept at least, of those used last; at most twice as many are. */
  constructor(max: number) {
    this.#max = max;
  }

  /** How many values are kept. One that was used again since it has become old counts twice. */
  get size(): number {
    return this.#newer.size + this.#older.size;
  }

  /** Returns the value of a text, and makes it if it is not kept. */
  find(text: string, make: (text: string) => Value): Value {
    const kept = this.#newer.get(text);
    if (kept !== undefined) return kept;
    const value = this.#older.get(text) ?? make(text);
    if (this.#newer.size >= this.#max) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(text, value);
    return value;
  }

  /** Drops all values. */
  clear(): void {
    this.#newer.clear();
    this.#older.clear();
  }
}

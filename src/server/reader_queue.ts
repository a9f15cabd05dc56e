/**
 * Sockets that wait, in the order in which their keys have their turns.
 *
 * @module
 */

/** A queue in which keys take turns, however much of it belongs to one of them. */
export class ReaderQueue<Reader extends { readonly key: string }> {
  readonly #isUrgent: ((reader: Reader) => boolean) | undefined;
  readonly #readers = new Map<string, Reader[]>();

  /** @param isUrgent Which readers are before the others of their key. Default: none. */
  constructor(isUrgent?: (reader: Reader) => boolean) {
    this.#isUrgent = isUrgent;
  }

  get size(): number {
    return this.#readers.size;
  }

  push(reader: Reader): void {
    const readers = this.#readers.get(reader.key);
    if (readers === undefined) this.#readers.set(reader.key, [reader]);
    else readers.push(reader);
  }

  /** Takes the first reader of the key whose turn it is. */
  shift(): Reader | undefined {
    for (const [key, readers] of this.#readers) {
      this.#readers.delete(key);
      const urgent = this.#isUrgent === undefined ? -1 : readers.findIndex(this.#isUrgent);
      const [first] = readers.splice(Math.max(urgent, 0), 1);
      if (readers.length > 0) this.#readers.set(key, readers); // behind all other keys
      return first;
    }
    return undefined;
  }
}

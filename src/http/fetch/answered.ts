/**
 * The hosts that have responded to requests before.
 *
 * @module
 */
const BITS = 16;

/**
 * A set of hosts in constant memory (8 KiB). Hosts are never removed, and a few that were not added are reported too.
 */
export class AnsweredHosts {
  readonly #bytes = new Uint8Array(2 ** BITS / 8);

  /** @param host With its port. */
  add(host: string): void {
    const hash = hashOf(host);
    const at = hash >>> 3;
    this.#bytes[at] = (this.#bytes[at] ?? 0) | 1 << (hash & 7);
  }

  /** Reports whether a host may have been added: `false` is certain. */
  has(host: string): boolean {
    const hash = hashOf(host);
    return ((this.#bytes[hash >>> 3] ?? 0) & 1 << (hash & 7)) !== 0;
  }
}

/** FNV-1a, folded to as many bits as there are in the set. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash ^ hash >>> BITS) & 2 ** BITS - 1;
}

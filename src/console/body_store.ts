/**
 * Stores the body of a response up to a maximum size.
 *
 * @module
 */

/** A stored body. */
export interface BodyStore {
  /** How many bytes were received. */
  readonly bytes: number;
  /** Whether fewer bytes are stored than were received. */
  readonly isCut: boolean;
  push(chunk: Uint8Array): void;
  /** Returns all stored bytes. */
  read(): Uint8Array<ArrayBuffer>;
  /** Returns the stored bytes from this offset on. */
  readFrom(offset: number): Uint8Array<ArrayBuffer>;
  /** Removes the stored bytes. */
  release(): void;
}

/** Creates a {@linkcode BodyStore} that stores at most `maxBytes`. */
export function createBodyStore(maxBytes = 16_777_216): BodyStore {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let storedBytes = 0;

  function readFrom(offset: number): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(Math.max(0, storedBytes - offset));
    let at = 0;
    for (const chunk of chunks) {
      const from = Math.max(0, offset - at);
      if (from < chunk.byteLength) joined.set(chunk.subarray(from), at + from - offset);
      at += chunk.byteLength;
    }
    return joined;
  }

  return {
    get bytes(): number {
      return bytes;
    },
    get isCut(): boolean {
      return storedBytes < bytes;
    },
    push(chunk): void {
      bytes += chunk.byteLength;
      const part = chunk.subarray(0, maxBytes - storedBytes);
      if (part.byteLength === 0) return;
      chunks.push(part);
      storedBytes += part.byteLength;
    },
    read(): Uint8Array<ArrayBuffer> {
      const joined = readFrom(0);
      chunks = [joined];
      return joined;
    },
    readFrom,
    release(): void {
      chunks = [];
      storedBytes = 0;
    },
  };
}

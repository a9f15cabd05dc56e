/**
 * The body of a response as far as it has come, and as far as memory goes.
 *
 * @module
 */

/** A body that comes. */
export interface BodyStore {
  /** How many bytes have come. */
  readonly bytes: number;
  /** Only the beginning was kept. */
  readonly isCut: boolean;
  push(chunk: Uint8Array): void;
  /** Gives what was kept, in one piece. */
  read(): Uint8Array<ArrayBuffer>;
  /** Gives what was kept from this offset on. */
  readFrom(offset: number): Uint8Array<ArrayBuffer>;
  /** Keeps nothing. */
  release(): void;
}

/** Creates a {@linkcode BodyStore} that keeps `maxBytes` at the most. */
export function createBodyStore(maxBytes = 16_777_216): BodyStore {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let kept = 0;

  function readFrom(offset: number): Uint8Array<ArrayBuffer> {
    const whole = new Uint8Array(Math.max(0, kept - offset));
    let at = 0;
    for (const chunk of chunks) {
      const from = Math.max(0, offset - at);
      if (from < chunk.byteLength) whole.set(chunk.subarray(from), at + from - offset);
      at += chunk.byteLength;
    }
    return whole;
  }

  return {
    get bytes(): number {
      return bytes;
    },
    get isCut(): boolean {
      return kept < bytes;
    },
    push(chunk): void {
      bytes += chunk.byteLength;
      const part = chunk.subarray(0, maxBytes - kept);
      if (part.byteLength === 0) return;
      chunks.push(part);
      kept += part.byteLength;
    },
    read(): Uint8Array<ArrayBuffer> {
      const whole = readFrom(0);
      chunks = [whole];
      return whole;
    },
    readFrom,
    release(): void {
      chunks = [];
      kept = 0;
    },
  };
}

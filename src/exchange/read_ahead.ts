/**
 * Reads the beginning of a stream ahead, to see whether all of it comes at once.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";

type Bytes = Uint8Array<ArrayBuffer>;

/** A stream of which the beginning is read ahead. */
export interface ReadAhead {
  /** Gives the whole body when it comes soon. To be called once. */
  whole(): Promise<Bytes | undefined>;
  /** Gives all chunks, those that were read ahead included. */
  chunks(): AsyncIterable<Bytes>;
}

// Nobody notices that a head was held back for so long.
const WAIT_MS = 5;

/** Creates a {@linkcode ReadAhead} of a body of this length. */
export function readAhead(chunks: AsyncIterable<Bytes>, length: number): ReadAhead {
  const iterator = chunks[Symbol.asyncIterator]();
  const pieces: Bytes[] = [];
  let pending = iterator.next();

  async function collect(late: Promise<undefined>): Promise<boolean> {
    for (let received = 0; received < length;) {
      // A body that breaks off is not whole: its error comes with its chunks.
      const soon = await Promise.race([pending.catch(() => undefined), late]);
      if (soon === undefined || soon.done === true) return false;
      pieces.push(soon.value.slice()); // a chunk is good until the next is asked for
      received += soon.value.byteLength;
      pending = iterator.next();
    }
    await pending; // the end, so that the connection can be used again
    return true;
  }

  return {
    async whole(): Promise<Bytes | undefined> {
      const { promise: late, resolve } = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => resolve(undefined), WAIT_MS);
      try {
        return await collect(late) ? concat(pieces) : undefined;
      } finally {
        clearTimeout(timer);
      }
    },
    async *chunks(): AsyncGenerator<Bytes> {
      try {
        yield* pieces;
        for (let { done, value } = await pending; done !== true;) {
          yield value;
          ({ done, value } = await iterator.next());
        }
      } finally {
        await iterator.return?.();
      }
    },
  };
}

/**
 * Reads the beginning of a stream ahead, to see whether all of it arrives at once.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import type { Clock } from "../clock.ts";
import type { Bytes } from "../http/body.ts";

/** A stream whose beginning is read ahead. */
export interface ReadAhead {
  /** Returns the whole body if it arrives within 5 ms. To be called once. */
  whole(): Promise<Bytes | undefined>;
  /** Returns all chunks, those that were read ahead included. */
  chunks(): AsyncIterable<Bytes>;
}

// A client does not notice that the head is this late.
const WAIT_MS = 5;

/** Creates a {@linkcode ReadAhead} of a body of this length. */
export function readAhead(
  chunks: AsyncIterable<Bytes>,
  { length, clock }: { readonly length: number; readonly clock: Clock },
): ReadAhead {
  const iterator = chunks[Symbol.asyncIterator]();
  const pieces: Bytes[] = [];
  let pending = iterator.next();

  async function collect(late: Promise<undefined>): Promise<boolean> {
    for (let received = 0; received < length;) {
      // A body that breaks off is not whole: its error arrives with its chunks.
      const soon = await Promise.race([pending.catch(() => undefined), late]);
      if (soon === undefined || soon.done === true) return false;
      pieces.push(soon.value.slice()); // a chunk is valid only until the next is asked for
      received += soon.value.byteLength;
      pending = iterator.next();
    }
    await pending; // the end, so that the connection can be used again
    return true;
  }

  return {
    async whole(): Promise<Bytes | undefined> {
      const { promise: late, resolve } = Promise.withResolvers<undefined>();
      const cancel = clock.after(WAIT_MS, () => resolve(undefined));
      try {
        return await collect(late) ? concat(pieces) : undefined;
      } finally {
        cancel();
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

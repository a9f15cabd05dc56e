/**
 * A response body in memory that counts what is done to it, and reuses its memory as transports do.
 *
 * @module
 */
import { type Body, type Bytes, collectChunks, limitChunks } from "../../src/http/body.ts";
import { latin1 } from "../helpers/upstream.ts";

/** A body and what was done to it. */
export interface FakeBody {
  readonly body: Body;
  /** Returns how many chunks were requested, the end included. */
  readonly reads: () => number;
  /** Returns the limits that `bytes` and `chunks` were called with. */
  readonly limits: () => readonly number[];
  /** Returns whether the iteration has ended, at the end or early. */
  readonly isLeft: () => boolean;
  readonly discards: () => number;
}

/** Creates a body of these texts, one character per byte. An error is thrown in its place; a promise delays. */
export function fakeBody(
  parts: readonly (string | Error | Promise<void>)[],
  { length, isHere = false }: { readonly length?: number; readonly isHere?: boolean } = {},
): FakeBody {
  const limits: number[] = [];
  let reads = 0;
  let discards = 0;
  let isLeft = false;

  async function* read(): AsyncGenerator<Bytes> {
    const memory = new Uint8Array(256);
    try {
      for (const part of parts) {
        if (part instanceof Promise) {
          await part;
          continue;
        }
        reads++;
        if (part instanceof Error) throw part;
        memory.fill(0x3f); // the chunk before is no longer valid
        memory.set(latin1(part));
        yield memory.subarray(0, part.length);
      }
      reads++;
    } finally {
      isLeft = true;
    }
  }

  function chunks(maxBytes: number): AsyncIterable<Bytes> {
    limits.push(maxBytes);
    return limitChunks(read(), maxBytes);
  }

  return {
    body: {
      length,
      isHere,
      bytes: (maxBytes) => collectChunks(chunks(maxBytes), maxBytes),
      chunks,
      discard: () => void discards++,
    },
    reads: () => reads,
    limits: () => limits,
    isLeft: () => isLeft,
    discards: () => discards,
  };
}

/** Returns the texts of all chunks, each read before the next is requested. */
export async function readTexts(chunks: AsyncIterable<Bytes>): Promise<string[]> {
  const texts: string[] = [];
  for await (const chunk of chunks) texts.push(textOf(chunk));
  return texts;
}

/** Returns bytes as text, one character per byte. */
export function textOf(bytes: Uint8Array): string {
  // Not by a TextDecoder: its "latin1" is windows-1252.
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

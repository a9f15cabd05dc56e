/**
 * The body of a response, whichever transport it comes from: one type, and what is done to it on its way.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { tooLarge } from "./failures.ts";

/** Bytes in memory that is not shared. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A body that has not been read. `bytes` or `chunks` is called once. */
export interface Body {
  /** The length in bytes where it is known for certain. */
  readonly length: number | undefined;
  /** All of the body has arrived: `bytes` returns it at once, not as a promise. */
  readonly isHere: boolean;
  /**
   * Returns the whole body.
   *
   * @param maxBytes The most bytes that it may have, decoded.
   * @throws {ProxyError} `http_response_body_size`, `http_response_incomplete`, `http_response_content_coding`, or the
   * reason of the request's signal.
   */
  bytes(maxBytes: number): Bytes | Promise<Bytes>;
  /**
   * Returns the body as it arrives, in chunks of any size, each valid until the next is asked for. Nothing is read
   * ahead, and leaving early ends the request. The iteration throws as `bytes` does.
   */
  chunks(maxBytes: number): AsyncIterable<Bytes>;
  /** Lets go of what is not wanted of the body, if that is still to be done. */
  discard(): void;
}

/** Counts the bytes of one body. */
export class ByteLimit {
  readonly #maxBytes: number;
  #taken = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws {ProxyError} `http_response_body_size`: with these there are more than there may be. */
  take(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken > this.#maxBytes) throw tooLarge(this.#maxBytes);
  }
}

/** What is done to a body. */
export interface BodyMap {
  /** Returns other chunks in place of those that arrive, as a decoder does. The length is unknown then. */
  readonly chunks?: (chunks: AsyncIterable<Bytes>) => AsyncIterable<Bytes>;
  /** Returns the error to throw in place of one that reading has thrown. */
  readonly error?: (thrown: unknown) => unknown;
}

/** Returns a body whose chunks or errors are others. `maxBytes` limits what the new body has. */
export function mapBody(
  body: Body,
  { chunks: toChunks, error: toError = (thrown) => thrown }: BodyMap,
): Body {
  async function* read(maxBytes: number): AsyncGenerator<Bytes> {
    try {
      if (toChunks === undefined) yield* body.chunks(maxBytes);
      else yield* limitChunks(toChunks(body.chunks(Infinity)), maxBytes);
    } catch (thrown) {
      throw toError(thrown);
    }
  }

  return {
    length: toChunks === undefined ? body.length : undefined,
    isHere: false,
    async bytes(maxBytes): Promise<Bytes> {
      if (toChunks !== undefined) return await collect(read(maxBytes));
      try {
        return await body.bytes(maxBytes);
      } catch (thrown) {
        throw toError(thrown);
      }
    },
    chunks: read,
    discard: () => body.discard(),
  };
}

/**
 * Returns two bodies in place of one, each with all of it. A chunk is read when the first of the two asks for it, and
 * the faster one waits for the slower: no more than one chunk is kept. Once one is discarded, the other goes on alone.
 */
export function teeBody(body: Body): readonly [Body, Body] {
  const source = createTee(body);
  return [createTeed(body, source, 0), createTeed(body, source, 1)];
}

/** Returns all chunks as one piece of memory. */
export async function collect(chunks: AsyncIterable<Bytes>): Promise<Bytes> {
  const pieces: Bytes[] = [];
  for await (const chunk of chunks) pieces.push(chunk.slice()); // valid until the next is asked for
  return concat(pieces);
}

/** Returns the same chunks; throws once they have more bytes than they may have. */
export async function* limitChunks(
  chunks: AsyncIterable<Bytes>,
  maxBytes: number,
): AsyncGenerator<Bytes> {
  const limit = new ByteLimit(maxBytes);
  for await (const chunk of chunks) {
    limit.take(chunk.byteLength);
    yield chunk;
  }
}

type Side = 0 | 1;

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** The two readers of one body. */
interface Tee {
  next(side: Side): Promise<IteratorResult<Bytes, undefined>>;
  leave(side: Side): void;
}

function createTee(body: Body): Tee {
  const asked: [number, number] = [0, 0]; // chunks, by side
  const isGone: [boolean, boolean] = [false, false];
  let iterator: AsyncIterator<Bytes, undefined> | undefined;
  let taken = 0; // chunks of the source
  let last: Promise<IteratorResult<Bytes, undefined>> = Promise.resolve(END);
  let moved = Promise.withResolvers<void>();

  async function readOn(): Promise<IteratorResult<Bytes, undefined>> {
    iterator ??= body.chunks(Infinity)[Symbol.asyncIterator]();
    const result = await iterator.next();
    return result.done === true ? END : { done: false, value: result.value.slice() };
  }

  function move(): void {
    moved.resolve();
    moved = Promise.withResolvers();
  }

  return {
    async next(side): Promise<IteratorResult<Bytes, undefined>> {
      const other = side === 0 ? 1 : 0;
      const wanted = ++asked[side];
      move();
      // The last chunk is kept until the other side has asked for it too.
      while (wanted > taken && asked[other] < taken && !isGone[other]) await moved.promise;
      if (wanted > taken) {
        taken = wanted;
        last = readOn();
        last.catch(() => {}); // each side is told when it asks
      }
      return await last;
    },
    leave(side): void {
      isGone[side] = true;
      move();
      if (isGone[0] && isGone[1]) body.discard();
    },
  };
}

function createTeed({ length }: Body, tee: Tee, side: Side): Body {
  async function* read(): AsyncGenerator<Bytes> {
    try {
      for (;;) {
        const { done, value } = await tee.next(side);
        if (done === true) return;
        yield value;
      }
    } finally {
      tee.leave(side);
    }
  }

  return {
    length,
    isHere: false,
    bytes: (maxBytes) => collect(limitChunks(read(), maxBytes)),
    chunks: (maxBytes) => limitChunks(read(), maxBytes),
    discard: () => tee.leave(side),
  };
}

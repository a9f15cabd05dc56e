/**
 * The body of a response, from any transport, and the operations on it.
 *
 * @module
 */
import { tooLarge } from "./failures.ts";
import { GrownBytes, takeTurn } from "./grown_bytes.ts";
import type { Turns } from "../turns/turns.ts";
import type { KeptBytes } from "./kept_bytes.ts";

/** Bytes in memory that no other thread shares. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The body of a response. It is read at most once: by `bytes` or by `chunks`. */
export interface Body {
  /** The length in bytes; `undefined` unless it is known for certain. */
  readonly length: number | undefined;
  /** Whether the whole body has arrived: `bytes` then returns it directly, without a promise. */
  readonly isHere: boolean;
  /**
   * Returns the whole body.
   *
   * @param maxBytes The largest size allowed, after decoding.
   * @param kept Counts the memory of a body that has not arrived whole. Default: nothing counts it.
   * @throws {ProxyError} `http_response_body_size`, `http_response_incomplete`, `http_response_content_coding`; or the
   * reason of the request's signal. Some are thrown directly, the others are rejections.
   */
  bytes(maxBytes: number, kept?: KeptBytes): Bytes | Promise<Bytes>;
  /**
   * Returns the body in chunks of any size, as they arrive. A chunk is valid until the next one is requested; the caller
   * does not write to it. Nothing is read ahead, and leaving the iteration early ends the request.
   *
   * @param maxBytes The largest size allowed, after decoding.
   * @param kept Counts the memory of decoders. Default: nothing counts it.
   * @throws The same errors as `bytes`, from the iteration.
   */
  chunks(maxBytes: number, kept?: KeptBytes): AsyncIterable<Bytes>;
  /** Ends the request unless the body has been read. May be called at any time and repeatedly; ends all reading. */
  discard(): void;
}

/** Counts the bytes of one body. */
export class ByteLimit {
  readonly #maxBytes: number;
  #count = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws {ProxyError} `http_response_body_size` when these bytes exceed the limit. */
  add(bytes: number): void {
    this.#count += bytes;
    if (this.#count > this.#maxBytes) throw tooLarge(this.#maxBytes);
  }
}

/**
 * Returns a body with other chunks, as a decoder makes them. Its length is unknown, and its limits apply to the new
 * chunks.
 *
 * @param turns When much is copied. Default: at once.
 */
export function mapChunks(
  body: Body,
  toChunks: (
    chunks: AsyncIterable<Bytes>,
    maxBytes: number,
    kept: KeptBytes | undefined,
  ) => AsyncIterable<Bytes>,
  turns?: Turns,
): Body {
  const read = (maxBytes: number, kept?: KeptBytes): AsyncIterable<Bytes> =>
    limitChunks(toChunks(body.chunks(Infinity, kept), maxBytes, kept), maxBytes);
  return {
    length: undefined,
    isHere: false,
    bytes: (maxBytes, kept) => collectChunks(read(maxBytes, kept), maxBytes, { kept, turns }),
    chunks: read,
    discard: () => body.discard(),
  };
}

/** Returns the same body, except that reading throws what `toError` returns for the original error. */
export function mapErrors(body: Body, toError: (thrown: unknown) => unknown): Body {
  return {
    length: body.length,
    isHere: false,
    async bytes(maxBytes, kept): Promise<Bytes> {
      try {
        return await body.bytes(maxBytes, kept);
      } catch (thrown) {
        throw toError(thrown);
      }
    },
    async *chunks(maxBytes, kept): AsyncGenerator<Bytes> {
      try {
        yield* body.chunks(maxBytes, kept);
      } catch (thrown) {
        throw toError(thrown);
      }
    },
    discard: () => body.discard(),
  };
}

/**
 * Returns two bodies, each of which has all bytes of the original. A chunk is read when the first of the two requests
 * it and kept until the second has requested it, so the faster reader waits for the slower one. A body that is
 * discarded, or left early, no longer holds up the other; when both are, the original is discarded.
 */
export function teeBody(body: Body): readonly [Body, Body] {
  const tee = new Tee(body);
  return [new TeedBody(tee, 0), new TeedBody(tee, 1)];
}

/**
 * Returns the same chunks.
 *
 * @throws {ProxyError} `http_response_body_size`, from the iteration, as soon as the chunks exceed `maxBytes` in total.
 */
export async function* limitChunks(
  chunks: AsyncIterable<Bytes>,
  maxBytes: number,
): AsyncGenerator<Bytes> {
  const limit = new ByteLimit(maxBytes);
  for await (const chunk of chunks) {
    limit.add(chunk.byteLength);
    yield chunk;
  }
}

/** How chunks are collected. */
export interface Collecting {
  /** Counts the memory. Default: nothing counts it. */
  readonly kept?: KeptBytes | undefined;
  /** When much is copied. Default: at once. */
  readonly turns?: Turns | undefined;
}

/**
 * Returns copies of all chunks as one array of bytes.
 *
 * @param maxBytes The chunks have no more bytes in total.
 */
export async function collectChunks(
  chunks: AsyncIterable<Bytes>,
  maxBytes: number,
  { kept, turns }: Collecting = {},
): Promise<Bytes> {
  const collected = new GrownBytes(maxBytes, kept);
  for await (const chunk of chunks) {
    const adding = collected.add(chunk);
    if (adding !== undefined) await adding;
    const turn = takeTurn(chunk.byteLength, turns);
    if (turn !== undefined) await turn;
  }
  return await collected.whole(turns);
}

type Side = 0 | 1;
type Chunk = IteratorResult<Bytes, undefined>;

const END: Chunk = { done: true, value: undefined };

class Tee {
  readonly length: number | undefined;
  readonly #body: Body;
  #source: AsyncIterator<Bytes, undefined> | undefined;
  /** The number of chunks that were read, and the last of them. */
  #read = 0;
  #last: Promise<Chunk> = Promise.resolve(END);
  /** The number of chunks that each side has requested. */
  readonly #requested: [number, number] = [0, 0];
  readonly #hasLeft: [boolean, boolean] = [false, false];
  /** Resolves the request of the faster side, which waits for the slower one. */
  #waiting: ((chunk: Chunk | Promise<Chunk>) => void) | undefined;

  constructor(body: Body) {
    this.#body = body;
    this.length = body.length;
  }

  next(side: Side): Promise<Chunk> {
    if (this.#hasLeft[side]) return Promise.resolve(END);
    const wanted = ++this.#requested[side];
    if (wanted > this.#read) {
      if (!this.#isHeldUpBy(side === 0 ? 1 : 0)) return this.#readNext();
      return new Promise((resolve) => this.#waiting = resolve);
    }
    const chunk = this.#last;
    this.#resume();
    return chunk;
  }

  leave(side: Side): void {
    if (this.#hasLeft[side]) return;
    this.#hasLeft[side] = true;
    if (this.#requested[side] > this.#read) this.#resume(END); // it waits itself, and needs no further chunk
    else this.#resume();
    if (!this.#hasLeft[0] || !this.#hasLeft[1]) return;
    this.#body.discard();
    this.#source?.return?.().catch(() => {}); // nothing reads any longer
  }

  #isHeldUpBy(side: Side): boolean {
    return !this.#hasLeft[side] && this.#requested[side] < this.#read;
  }

  /** Lets the side that waits go on, with the next chunk unless another result is given. */
  #resume(chunk?: Chunk): void {
    const resolve = this.#waiting;
    if (resolve === undefined) return;
    this.#waiting = undefined;
    resolve(chunk ?? this.#readNext());
  }

  #readNext(): Promise<Chunk> {
    this.#read++;
    this.#last = this.#copyNext();
    return this.#last;
  }

  async #copyNext(): Promise<Chunk> {
    this.#source ??= this.#body.chunks(Infinity)[Symbol.asyncIterator]();
    const chunk = await this.#source.next();
    return chunk.done === true ? END : { done: false, value: chunk.value.slice() };
  }
}

class TeedBody implements Body {
  readonly length: number | undefined;
  readonly isHere = false;
  readonly #tee: Tee;
  readonly #side: Side;

  constructor(tee: Tee, side: Side) {
    this.length = tee.length;
    this.#tee = tee;
    this.#side = side;
  }

  bytes(maxBytes: number, kept?: KeptBytes): Promise<Bytes> {
    return collectChunks(this.chunks(maxBytes), maxBytes, { kept });
  }

  chunks(maxBytes: number): AsyncIterable<Bytes> {
    return limitChunks(this.#read(), maxBytes);
  }

  discard(): void {
    this.#tee.leave(this.#side);
  }

  async *#read(): AsyncGenerator<Bytes> {
    try {
      for (;;) {
        const { done, value } = await this.#tee.next(this.#side);
        if (done === true) return;
        yield value;
      }
    } finally {
      this.#tee.leave(this.#side);
    }
  }
}

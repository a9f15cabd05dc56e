/**
 * Two readers of one body.
 *
 * @module
 */
import { type Body, type Bytes, collectChunks, limitChunks } from "./body.ts";

type Side = 0 | 1;
type Chunk = IteratorResult<Bytes, undefined>;

const END: Chunk = { done: true, value: undefined };

/**
 * Returns two bodies, each of which has all bytes of the original. A chunk is read when the first of the two requests
 * it and kept until the second has requested it, so the faster reader waits for the slower one. A body that is
 * discarded, or left early, no longer holds up the other; when both are, the original is discarded.
 */
export function teeBody(body: Body): readonly [Body, Body] {
  const tee = new Tee(body);
  return [new TeedBody(tee, 0), new TeedBody(tee, 1)];
}

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
    this.#last.catch(() => {}); // each side receives the error when it requests this chunk
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

  bytes(maxBytes: number): Promise<Bytes> {
    return collectChunks(this.chunks(maxBytes));
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

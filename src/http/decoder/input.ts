/**
 * Feeds coded bytes to a decoder of `node:zlib`, up to the end of what it decodes.
 *
 * @module
 */
import type { Transform } from "node:stream";
import type { ProxyError } from "../../protocol/mod.ts";
import type { Turns } from "../../turns/turns.ts";
import type { Bytes } from "../body.ts";
import { miscoded } from "../failures.ts";

// What a piece of work costs, in decoded bytes that take as long: a decoder with its first piece takes 15 µs to 300 µs. A
// coded byte can take longer than a decoded one, since a block of deflate or brotli can be all tables and no data.
const DECODER_COST = 49_152;
const CODED_BYTE_COST = 8;
// The decoder gets no more at a time, since it returns only when it has decoded that.
const [FIRST_PIECE_BYTES, MAX_PIECE_BYTES] = [8192, 49_152] as const;

const NO_BYTES: Bytes = new Uint8Array();

/** A decoder of `node:zlib`. */
export interface ZlibDecoder extends Transform {
  /** How many of the bytes that were written have been decoded: those after the end of the coded data have not. */
  readonly bytesWritten: number;
}

/** Coded bytes for a decoder. */
export interface DecoderInput {
  /** Returns the next bytes, at least one; `undefined` at the end. The caller may keep them. */
  next(): Promise<Bytes | undefined>;
  /** Puts bytes back in front of the input: `next` returns them again. */
  unread(bytes: Bytes): void;
}

/** The chunks of a coded body, of which a part can be given back. */
export class CodedInput implements DecoderInput {
  readonly #chunks: AsyncIterator<Bytes>;
  #rest: Bytes | undefined;

  constructor(chunks: AsyncIterable<Bytes>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async next(): Promise<Bytes | undefined> {
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) return rest;
    for (;;) {
      const { done, value } = await this.#chunks.next();
      if (done === true) return undefined;
      if (value.byteLength > 0) return value.slice();
    }
  }

  unread(bytes: Bytes): void {
    if (bytes.byteLength > 0) this.#rest = bytes;
  }

  /** Returns the first bytes of the rest, which remain in it: `count` of them, or all if there are fewer. */
  async peek(count: number): Promise<Bytes> {
    let bytes = await this.next() ?? new Uint8Array();
    while (bytes.byteLength < count) {
      const more = await this.next();
      if (more === undefined) break;
      const joined = new Uint8Array(bytes.byteLength + more.byteLength);
      joined.set(bytes);
      joined.set(more, bytes.byteLength);
      bytes = joined;
    }
    this.unread(bytes);
    return bytes.subarray(0, count);
  }

  /**
   * Returns exactly `count` bytes.
   *
   * @throws {ProxyError} `http_response_content_coding` when there are fewer.
   */
  async take(count: number): Promise<Bytes> {
    const bytes = await this.peek(count);
    if (bytes.byteLength < count) throw cutOff();
    const rest = await this.next();
    if (rest !== undefined) this.unread(rest.subarray(count));
    return bytes;
  }

  /**
   * Skips `count` bytes.
   *
   * @throws {ProxyError} `http_response_content_coding` when there are fewer.
   */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;) {
      const bytes = await this.next();
      if (bytes === undefined) throw cutOff();
      this.unread(bytes.subarray(left));
      left -= bytes.byteLength;
    }
  }
}

/** How decoders differ. */
export interface DecodeOptions {
  /** What a decoder costs with the first bytes that it decodes, in decoded bytes that take as long. */
  readonly decoderCost?: number;
  /** Whether the decoder takes an early end of its input for its end, and has to be tested for that. */
  readonly acceptsEarlyEnd?: boolean;
  /** When pieces of the work may be done. */
  readonly turns: Turns;
}

/**
 * Returns the decoded chunks up to the end of the coded data. The bytes after it remain in the input.
 *
 * @param create Creates the decoder.
 * @throws {ProxyError} `http_response_content_coding` when the input ends early; also what `input` throws, and what
 * the decoder throws.
 */
export async function* decodeMember(
  input: DecoderInput,
  create: () => ZlibDecoder,
  { decoderCost = DECODER_COST, acceptsEarlyEnd = false, turns }: DecodeOptions,
): AsyncGenerator<Bytes> {
  const begin = turns.take(decoderCost);
  if (begin !== undefined) await begin;
  const decoder = create();
  let written = 0;
  // The last bytes of the input, and where they begin and end among all bytes that are written.
  let last: Bytes = NO_BYTES;
  let start = 0;
  let end = 0;

  async function feed(): Promise<void> {
    for (;;) {
      if (written === end) {
        const next = await input.next();
        // A decoder that has not reached its end takes one byte more for data.
        if (next === undefined && acceptsEarlyEnd) return void decoder.end(new Uint8Array(1));
        if (next === undefined) break;
        last = next;
        start = end;
        end += last.byteLength;
      }
      const from = written;
      const to = Math.min(end, from + (from === 0 ? FIRST_PIECE_BYTES : MAX_PIECE_BYTES));
      const turn = from === 0 ? undefined : turns.take((to - from) * CODED_BYTE_COST);
      if (turn !== undefined) await turn;
      written = to;
      const isWhole = to - from === last.byteLength;
      if (!await isTaken(decoder, isWhole ? last : last.subarray(from - start, to - start))) break;
      if (decoder.bytesWritten !== written) break;
    }
    // One that has reached its end is ended too: a stream that is given up, and not ended, costs several times as much.
    if (!decoder.destroyed) decoder.end();
  }

  feed().catch((thrown) => decoder.destroy(thrown));
  for await (const chunk of decoder) {
    yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const turn = turns.take(chunk.byteLength);
    if (turn !== undefined) await turn;
  }
  if (decoder.bytesWritten > written) throw cutOff();
  input.unread(last.subarray(decoder.bytesWritten - start));
}

/** The input ended inside the coded data. */
export function cutOff(): ProxyError {
  return miscoded({ cause: new Error("The coded data is cut off") });
}

/** Writes bytes; fulfils with whether the decoder has not failed. */
function isTaken(decoder: ZlibDecoder, bytes: Bytes): Promise<boolean> {
  return new Promise((resolve) => decoder.write(bytes, (error) => resolve(!error)));
}

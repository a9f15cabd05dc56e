/**
 * Feeds coded bytes to a decoder of `node:zlib`, up to the end of what it decodes.
 *
 * @module
 */
import type { Transform } from "node:stream";
import type { ProxyError } from "../../protocol/mod.ts";
import type { Bytes } from "../body.ts";
import { miscoded } from "../failures.ts";

/** A decoder of `node:zlib`. */
export interface ZlibDecoder extends Transform {
  /** How many of the bytes that were written have been decoded: those after the end of the coded data have not. */
  readonly bytesWritten: number;
}

/** The chunks of a coded body, of which a part can be given back. */
export class CodedInput {
  readonly #chunks: AsyncIterator<Bytes>;
  #rest: Bytes | undefined;

  constructor(chunks: AsyncIterable<Bytes>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Returns the next bytes, at least one; `undefined` at the end. The caller may keep them. */
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

  /** Gives bytes back: they are the next ones again. */
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
}

/** How the end of the input is told to a decoder. */
export interface DecodeOptions {
  /** Whether the decoder takes an early end of its input for its end, and has to be tested for that. */
  readonly acceptsEarlyEnd?: boolean;
}

/**
 * Returns the decoded chunks up to the end of the coded data. The bytes after it remain in the input.
 *
 * @throws {ProxyError} `http_response_content_coding` when the input ends early; also what `input` throws, and what
 * the decoder throws.
 */
export async function* decodeMember(
  input: CodedInput,
  decoder: ZlibDecoder,
  { acceptsEarlyEnd = false }: DecodeOptions = {},
): AsyncGenerator<Bytes> {
  let written = 0;
  let last: Bytes | undefined;

  async function feed(): Promise<void> {
    do {
      last = await input.next();
      if (last === undefined) break;
      written += last.byteLength;
    } while (await isTaken(decoder, last) && decoder.bytesWritten === written);
    // A decoder that has not reached its end takes one byte more for data. One that has is ended too: a stream that is
    // given up, and not ended, costs several times as much.
    if (last === undefined && acceptsEarlyEnd) decoder.end(new Uint8Array(1));
    else if (!decoder.destroyed) decoder.end();
  }

  feed().catch((thrown) => decoder.destroy(thrown));
  for await (const chunk of decoder) {
    yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  if (decoder.bytesWritten > written) throw cutOff();
  if (last !== undefined) {
    input.unread(last.subarray(last.byteLength - (written - decoder.bytesWritten)));
  }
}

/** The input ended inside the coded data. */
export function cutOff(): ProxyError {
  return miscoded({ cause: new Error("The coded data is cut off") });
}

/** Writes bytes; fulfils with whether the decoder has not failed. */
function isTaken(decoder: ZlibDecoder, bytes: Bytes): Promise<boolean> {
  return new Promise((resolve) => decoder.write(bytes, (error) => resolve(!error)));
}

/**
 * Content codings (RFC 9110 §8.4): which codings a body has, and the body without them.
 *
 * @module
 */
import { createBrotliDecompress, createInflate, createInflateRaw } from "node:zlib";
import { type HeaderPairs, ProxyError } from "../protocol/mod.ts";
import type { Turns } from "../turns/turns.ts";
import { type Body, ByteLimit, type Bytes, limitChunks, mapChunks } from "./body.ts";
import { decodeGzip } from "./decoder/gzip.ts";
import { CodedInput, decodeMember } from "./decoder/input.ts";
import { decodeZstd } from "./decoder/zstd.ts";
import { miscoded } from "./failures.ts";
import { splitList } from "./grammar.ts";
import type { KeptBytes } from "./kept_bytes.ts";

/** A content coding that can be decoded: one that Chromium decodes. */
export type Coding = "gzip" | "deflate" | "br" | "zstd";

/** What decoders share. */
interface DecoderShare {
  /** When pieces of the work may be done. */
  readonly turns: Turns;
  /** Counts the memory of decoders. */
  readonly kept: KeptBytes | undefined;
}

type Decode = (chunks: AsyncIterable<Bytes>, share: DecoderShare) => AsyncIterable<Bytes>;

// Names in lower case; "x-gzip" is another name of gzip (RFC 9110 §8.4.1.3).
const CODINGS: ReadonlyMap<string, Coding> = new Map(
  Object.entries({ gzip: "gzip", "x-gzip": "gzip", deflate: "deflate", br: "br", zstd: "zstd" }),
);
const DECODERS: Readonly<Record<Coding, Decode>> = {
  gzip: (chunks, share) => keepWindow(decodeGzip(chunks, share.turns), MIN_WINDOW_BYTES, share),
  deflate: (chunks, share) => keepWindow(decodeDeflate(chunks, share), MIN_WINDOW_BYTES, share),
  br: decodeBrotli,
  zstd: (chunks, share) => keepWindow(decodeZstd(chunks, share.turns), ZSTD_WINDOW_BYTES, share),
};

/** How many codings of a body are decoded: each can multiply the work. curl and undici have the same limit. */
export const MAX_CODINGS = 5;
// A body may have this many coded bytes more than twice its limit: one with a member for each line can double.
const OVERHEAD_BYTES = 65_536;
// What a decoder keeps at first, and that of zstd at most (RFC 9659).
const [MIN_WINDOW_BYTES, ZSTD_WINDOW_BYTES] = [65_536, 8_388_608] as const;
// RFC 1950 §2.2: the method in the first byte of zlib data. No encoder begins raw data like this.
const [METHOD_BITS, ZLIB_METHOD] = [0x0f, 8] as const;

// In addition to its window, which the decoder of brotli fills with zeros.
const BROTLI_DECODER_COST = 262_144;

const NONE: readonly Coding[] = [];

/** Returns the coding with a name in lower case; `undefined` if it cannot be decoded. */
export function findCoding(name: string): Coding | undefined {
  return CODINGS.get(name);
}

/**
 * Returns the content codings of a body in the order in which they were applied. Empty when there are none, and when
 * the body is not decoded, as in Chromium: one of the codings is unknown. The same holds for more than five codings.
 *
 * @param headers The fields of the response. Names in lower case.
 */
export function contentCodings(headers: HeaderPairs): readonly Coding[] {
  let codings = NONE;
  for (const [name, value] of headers) {
    if (name !== "content-encoding") continue;
    for (const member of splitList(value)) {
      const coding = findCoding(member.toLowerCase());
      if (coding === undefined) return NONE;
      codings = [...codings, coding];
      if (codings.length > MAX_CODINGS) return NONE;
    }
  }
  return codings;
}

/**
 * Returns a body without its codings. Little more is decoded than is requested, however much a small body expands to.
 *
 * @param codings In the order in which they were applied.
 * @param turns When pieces of the work may be done.
 */
export function decodeCodings(body: Body, codings: readonly Coding[], turns: Turns): Body {
  return mapChunks(
    body,
    (chunks, maxBytes, kept) => decode(chunks, { body, codings, maxBytes, kept, turns }),
    turns,
  );
}

/** A body to decode. */
interface CodedBody {
  readonly body: Body;
  readonly codings: readonly Coding[];
  /** How many bytes it may have when it is decoded. */
  readonly maxBytes: number;
  /** Counts the memory of the decoders. */
  readonly kept: KeptBytes | undefined;
  readonly turns: Turns;
}

async function* decode(
  chunks: AsyncIterable<Bytes>,
  { body, codings, maxBytes, kept, turns }: CodedBody,
): AsyncGenerator<Bytes> {
  let failure: unknown;
  // Coded bytes can expand to nothing, and would be decoded for ever without reaching a limit.
  const maxCodedBytes = 2 * maxBytes + OVERHEAD_BYTES;

  async function* source(): AsyncGenerator<Bytes> {
    try {
      const limit = new ByteLimit(maxCodedBytes);
      for await (const chunk of chunks) {
        limit.add(chunk.byteLength);
        yield chunk;
      }
    } catch (thrown) {
      failure = thrown;
      throw thrown;
    }
  }

  let decoded: AsyncIterable<Bytes> = source();
  for (const [stage, coding] of codings.toReversed().entries()) {
    const coded = stage === 0 ? decoded : limitChunks(decoded, maxCodedBytes);
    decoded = DECODERS[coding](coded, { turns, kept });
  }
  try {
    yield* decoded;
  } catch (thrown) {
    if (failure !== undefined) throw failure;
    throw thrown instanceof ProxyError ? thrown : miscoded({ cause: thrown });
  } finally {
    body.discard();
  }
}

/**
 * Returns the same chunks, and counts the memory of their decoder: it keeps the last bytes that it has decoded, up to
 * the size of its window.
 */
async function* keepWindow(
  chunks: AsyncIterable<Bytes>,
  maxWindowBytes: number,
  { kept }: DecoderShare,
): AsyncGenerator<Bytes> {
  let window = MIN_WINDOW_BYTES;
  let length = 0;
  const taking = kept?.take(window, true);
  if (taking !== undefined) await taking;
  for await (const chunk of chunks) {
    length += chunk.byteLength;
    while (length > window && window < maxWindowBytes) {
      const growing = kept?.take(window, true);
      if (growing !== undefined) await growing;
      window *= 2;
    }
    yield chunk;
  }
}

/** Decodes data of zlib (RFC 1950), as the coding should be, or without its head (RFC 1951), as some servers send it. */
async function* decodeDeflate(
  chunks: AsyncIterable<Bytes>,
  { turns }: DecoderShare,
): AsyncGenerator<Bytes> {
  const input = new CodedInput(chunks);
  const [first] = await input.peek(1);
  if (first === undefined) return;
  const isZlib = (first & METHOD_BITS) === ZLIB_METHOD;
  yield* decodeMember(input, isZlib ? createInflate : createInflateRaw, { turns });
  await input.next(); // ignored, as browsers do; what matters is the end of the body
}

/** RFC 7932. The decoder may allocate its whole window before it returns the first bytes. */
async function* decodeBrotli(
  chunks: AsyncIterable<Bytes>,
  { turns, kept }: DecoderShare,
): AsyncGenerator<Bytes> {
  const input = new CodedInput(chunks);
  const [first] = await input.peek(1);
  if (first === undefined) return;
  const windowBytes = 2 ** toWindowBits(first);
  const taking = kept?.take(windowBytes, true);
  if (taking !== undefined) await taking;
  yield* decodeMember(input, createBrotliDecompress, {
    decoderCost: BROTLI_DECODER_COST + windowBytes,
    acceptsEarlyEnd: true,
    turns,
  });
  await input.next(); // as above
}

/** Returns the logarithm of the window of brotli data, from its first byte (RFC 7932 §9.1). */
function toWindowBits(first: number): number {
  if ((first & 1) === 0) return 16;
  const high = first >> 1 & 7;
  if (high !== 0) return 17 + high;
  const low = first >> 4 & 7;
  return low === 0 ? 17 : 8 + low; // 9 stands for a large window, which the decoder refuses
}

/**
 * Decodes Zstandard (RFC 8878).
 *
 * @module
 */
import { constants, createZstdDecompress } from "node:zlib";
import type { Bytes } from "../body.ts";
import { CodedInput, cutOff, decodeMember } from "./input.ts";

// RFC 9659: a window has at most 8 MB, so that a response cannot make a decoder take more memory.
const MAX_WINDOW_LOG = 23;
const OPTIONS = { params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } } as const;

const MAGIC = 0xfd2f_b528;
const SKIPPABLE_MAGIC = 0x184d_2a50;
const RLE_BLOCK = 1;

/**
 * Returns the decoded chunks of all frames.
 *
 * @throws {ProxyError} `http_response_content_coding`; also what `chunks` and `node:zlib` throw.
 */
export async function* decodeZstd(chunks: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
  const frames = new ZstdFrames();
  const input = new CodedInput(frames.follow(chunks));
  // A decoder ends with a frame if more of its chunk follows, and goes on if the frame ends with the chunk.
  while ((await input.peek(1)).byteLength > 0) {
    yield* decodeMember(input, createZstdDecompress(OPTIONS));
  }
  if (!frames.isComplete) throw cutOff(); // the decoder takes it for the end
}

type Field = "magic" | "skippable" | "descriptor" | "header" | "block" | "content" | "checksum";

/** The number of bytes that each part has, unless it is told by a part before it. */
const FIELD_BYTES = { magic: 4, skippable: 4, descriptor: 1, block: 3, checksum: 4 } as const;

/** Follows the frames of a stream (RFC 8878 §3.1), to tell whether the stream ends with a whole frame. */
class ZstdFrames {
  #field: Field = "magic";
  /** The bytes of the field that are to come, and the number that those before them make, little-endian. */
  #left: number = FIELD_BYTES.magic;
  #value = 0;
  #scale = 1;
  #hasChecksum = false;
  #isLastBlock = false;

  /** Whether no frame has begun that has not ended. */
  get isComplete(): boolean {
    return this.#field === "magic" && this.#left === FIELD_BYTES.magic;
  }

  /** Returns the same chunks, and follows them. */
  async *follow(chunks: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
    for await (const chunk of chunks) {
      this.#read(chunk);
      yield chunk;
    }
  }

  #read(chunk: Bytes): void {
    for (let at = 0; at < chunk.byteLength;) {
      const isSkipped = this.#field === "header" || this.#field === "content";
      const count = isSkipped ? Math.min(this.#left, chunk.byteLength - at) : 1;
      if (!isSkipped) this.#value += (chunk[at] ?? 0) * this.#scale;
      this.#scale *= 256;
      this.#left -= count;
      at += count;
      while (this.#left === 0) this.#enterNext();
    }
  }

  /** Enters the field after the one that has been read. It may be empty. */
  #enterNext(): void {
    const [field, value] = [this.#field, this.#value];
    if (field === "magic") {
      if (value === MAGIC) this.#enter("descriptor");
      else if (value >= SKIPPABLE_MAGIC && value < SKIPPABLE_MAGIC + 16) this.#enter("skippable");
      else this.#enter("magic"); // the decoder refuses it
    } else if (field === "skippable") {
      this.#isLastBlock = true;
      this.#hasChecksum = false;
      this.#enter("content", value);
    } else if (field === "descriptor") {
      this.#hasChecksum = (value & 4) !== 0;
      this.#enter("header", headerBytes(value));
    } else if (field === "block") {
      this.#isLastBlock = (value & 1) !== 0;
      this.#enter("content", (value >> 1 & 3) === RLE_BLOCK ? 1 : value >> 3);
    } else if (field === "header" || field === "content" && !this.#isLastBlock) {
      this.#enter("block");
    } else {
      this.#enter(field === "content" && this.#hasChecksum ? "checksum" : "magic");
    }
  }

  #enter(field: keyof typeof FIELD_BYTES): void;
  #enter(field: "header" | "content", bytes: number): void;
  #enter(field: Field, bytes?: number): void {
    this.#field = field;
    this.#left = bytes ?? FIELD_BYTES[field as keyof typeof FIELD_BYTES]; // given for the two others
    this.#value = 0;
    this.#scale = 1;
  }
}

/** Returns the length of the header after its descriptor (RFC 8878 §3.1.1.1). */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  return (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
}

/**
 * Decodes Zstandard (RFC 8878).
 *
 * @module
 */
import { constants, createZstdDecompress } from "node:zlib";
import type { Turns } from "../../turns/turns.ts";
import type { Bytes } from "../body.ts";
import { miscoded } from "../failures.ts";
import { CodedInput, cutOff, decodeMember, type DecoderInput } from "./input.ts";
import { MemberCredit } from "./member_credit.ts";

// RFC 9659: a window has at most 8 MB, so that a response cannot make a decoder take more memory.
const MAX_WINDOW_LOG = 23;
const OPTIONS = { params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } } as const;

const MAGIC_BYTES = 4;
const MAGIC = 0xfd2f_b528;
const SKIPPABLE_MAGIC = 0x184d_2a5; // and four bits of any value
const SKIPPABLE_HEAD_BYTES = 8;
const RLE_BLOCK = 1;
// What it costs to skip a frame, in decoded bytes that take as long.
const SKIP_COST = 2048;

/**
 * Returns the decoded chunks of all frames.
 *
 * @throws {ProxyError} `http_response_content_coding`; also what `chunks` and `node:zlib` throw.
 */
export async function* decodeZstd(
  chunks: AsyncIterable<Bytes>,
  turns: Turns,
): AsyncGenerator<Bytes> {
  const input = new CodedInput(chunks);
  const credit = new MemberCredit();
  for (;;) {
    const magic = await input.peek(MAGIC_BYTES);
    if (magic.byteLength === 0) return;
    credit.take();
    if (magic.byteLength < MAGIC_BYTES) throw cutOff();
    if (uint32(magic, 0) >>> 4 === SKIPPABLE_MAGIC) {
      const turn = turns.take(SKIP_COST);
      if (turn !== undefined) await turn;
      await skipFrame(input);
      continue;
    }
    if (uint32(magic, 0) !== MAGIC) {
      throw miscoded({ cause: new Error("A frame does not begin like zstd") });
    }
    for await (const chunk of decodeMember(new FrameInput(input), createDecoder, { turns })) {
      credit.add(chunk.byteLength);
      yield chunk;
    }
  }
}

function createDecoder(): ReturnType<typeof createZstdDecompress> {
  return createZstdDecompress(OPTIONS);
}

/** RFC 8878 §3.1.2 */
async function skipFrame(input: CodedInput): Promise<void> {
  await input.skip(uint32(await input.take(SKIPPABLE_HEAD_BYTES), 4));
}

/** Returns the little-endian number at an offset. */
function uint32(bytes: Bytes, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

/** The bytes of one frame: a decoder alone does not tell whether its input has ended with a whole frame. */
class FrameInput implements DecoderInput {
  readonly #input: CodedInput;
  readonly #frame = new ZstdFrame();

  constructor(input: CodedInput) {
    this.#input = input;
  }

  async next(): Promise<Bytes | undefined> {
    if (this.#frame.isComplete) return undefined;
    const bytes = await this.#input.next();
    if (bytes === undefined) throw cutOff();
    const count = this.#frame.read(bytes);
    this.#input.unread(bytes.subarray(count));
    return bytes.subarray(0, count);
  }

  unread(bytes: Bytes): void {
    if (bytes.byteLength > 0) throw miscoded({ cause: new Error("A frame has no last block") });
  }
}

type Field = "magic" | "descriptor" | "header" | "block" | "content" | "checksum" | "end";

/** The number of bytes that each field has, unless it is told by a field before it. */
const FIELD_BYTES = { magic: 4, descriptor: 1, block: 3, checksum: 4, end: 0 } as const;

/** Follows a frame to its end (RFC 8878 §3.1.1). */
class ZstdFrame {
  #field: Field = "magic";
  /** The bytes of the field that are to come, and the number that those before them make, little-endian. */
  #left: number = FIELD_BYTES.magic;
  #value = 0;
  #scale = 1;
  #hasChecksum = false;
  #isLastBlock = false;

  get isComplete(): boolean {
    return this.#field === "end";
  }

  /** Reads the next bytes of a stream; returns how many of them belong to the frame. */
  read(bytes: Bytes): number {
    let at = 0;
    while (at < bytes.byteLength && !this.isComplete) {
      const isSkipped = this.#field === "header" || this.#field === "content";
      const count = isSkipped ? Math.min(this.#left, bytes.byteLength - at) : 1;
      if (!isSkipped) this.#value += (bytes[at] ?? 0) * this.#scale;
      this.#scale *= 256;
      this.#left -= count;
      at += count;
      while (this.#left === 0 && !this.isComplete) this.#enterNext();
    }
    return at;
  }

  /** Enters the field after the one that has been read. It may be empty. */
  #enterNext(): void {
    const [field, value] = [this.#field, this.#value];
    if (field === "magic") {
      this.#enter("descriptor");
    } else if (field === "descriptor") {
      this.#hasChecksum = (value & 4) !== 0;
      this.#enter("header", headerBytes(value));
    } else if (field === "block") {
      this.#isLastBlock = (value & 1) !== 0;
      this.#enter("content", (value >> 1 & 3) === RLE_BLOCK ? 1 : value >> 3);
    } else if (field === "header" || field === "content" && !this.#isLastBlock) {
      this.#enter("block");
    } else {
      this.#enter(field === "content" && this.#hasChecksum ? "checksum" : "end");
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

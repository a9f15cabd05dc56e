/**
 * Decodes gzip (RFC 1952). Node's own decoder cannot be used: under Deno it fails when bytes follow the end of the data,
 * which browsers and Node ignore.
 *
 * @module
 */
import { crc32, createInflateRaw } from "node:zlib";
import type { Turns } from "../../turns/turns.ts";
import type { Bytes } from "../body.ts";
import { miscoded } from "../failures.ts";
import { CodedInput, cutOff, decodeMember } from "./input.ts";
import { MemberCredit } from "./member_credit.ts";

// RFC 1952 §2.3: the first bytes of a member, and the flags of what its head contains.
const MAGIC = [0x1f, 0x8b, 8] as const;
const HEAD_BYTES = 10;
const TRAILER_BYTES = 8;
const [HEAD_CHECKSUM, EXTRA, NAME, COMMENT, RESERVED] = [0x02, 0x04, 0x08, 0x10, 0xe0] as const;

/**
 * Returns the decoded chunks of all members. Bytes after the last member are ignored, as browsers do.
 *
 * @throws {ProxyError} `http_response_content_coding`; also what `chunks` and `node:zlib` throw.
 */
export async function* decodeGzip(
  chunks: AsyncIterable<Bytes>,
  turns: Turns,
): AsyncGenerator<Bytes> {
  const input = new CodedInput(chunks);
  const credit = new MemberCredit();
  for (let members = 0; await isMember(input, members === 0); members++) {
    credit.take();
    await skipHead(input);
    let checksum = 0;
    for await (const chunk of decodeMember(input, createInflateRaw, { turns })) {
      credit.add(chunk.byteLength);
      checksum = crc32(chunk, checksum);
      yield chunk;
    }
    const trailer = await input.take(TRAILER_BYTES);
    if (new DataView(trailer.buffer, trailer.byteOffset).getUint32(0, true) !== checksum) {
      throw miscoded({ cause: new Error("The checksum is wrong") });
    }
  }
}

/** Returns whether a member follows. Throws if the first one must follow, and something else does. */
async function isMember(input: CodedInput, isFirst: boolean): Promise<boolean> {
  const start = await input.peek(MAGIC.length);
  if (start.byteLength === 0) return false;
  if (MAGIC.every((byte, at) => start[at] === byte)) return true;
  if (!isFirst) return false;
  throw miscoded({ cause: new Error("The data does not begin like gzip") });
}

/** RFC 1952 §2.3.1 */
async function skipHead(input: CodedInput): Promise<void> {
  const flags = (await input.take(HEAD_BYTES))[3] ?? 0;
  if ((flags & RESERVED) !== 0) throw miscoded({ cause: new Error("The head has unknown flags") });
  if ((flags & EXTRA) !== 0) {
    const [low = 0, high = 0] = await input.take(2);
    await input.skip(low | high << 8);
  }
  if ((flags & NAME) !== 0) await skipText(input);
  if ((flags & COMMENT) !== 0) await skipText(input);
  if ((flags & HEAD_CHECKSUM) !== 0) await input.skip(2);
}

/** Skips a text that ends with a zero byte. */
async function skipText(input: CodedInput): Promise<void> {
  for (;;) {
    const bytes = await input.next();
    if (bytes === undefined) throw cutOff();
    const end = bytes.indexOf(0);
    if (end < 0) continue;
    input.unread(bytes.subarray(end + 1));
    return;
  }
}

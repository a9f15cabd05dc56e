/**
 * The chunked transfer coding (RFC 9112 §7.1): what surrounds the data. Parsed byte by byte, so that no byte is looked
 * at twice however the input is cut, and as strictly as by Deno's `fetch`.
 *
 * @module
 */
import { CR, LF, SEMICOLON, SPACE, TAB } from "./ascii.ts";

type Stage =
  | "size"
  | "blank"
  | "extension"
  | "size end"
  | "data end"
  | "data end LF"
  | "line"
  | "trailer"
  | "trailer end"
  | "last LF"
  | "end"
  | "broken";

// Both are ignored. As much in total as Deno's `fetch` accepts.
const MAX_EXTENSION_BYTES = 16_384;
const MAX_TRAILER_BYTES = 16_384;
// Bounds leading zeros.
const MAX_SIZE_DIGITS = 16;

/** Parses the framing of one body. */
export class ChunkParser {
  #stage: Stage = "size";
  #missing = 0;
  #digits = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;

  /** Bytes of the current chunk that have not been taken. */
  get missing(): number {
    return this.#stage === "data end" ? this.#missing : 0;
  }

  /** Whether the body has ended, properly or broken. */
  get hasEnded(): boolean {
    return this.#stage === "end" || this.#stage === "broken";
  }

  /** Whether the input is not a chunked body. */
  get isBroken(): boolean {
    return this.#stage === "broken";
  }

  /** Notes that bytes of the current chunk were taken: at most as many as are missing. */
  take(bytes: number): void {
    this.#missing -= bytes;
  }

  /** Parses what surrounds data. Returns the index where data begins, or `end` when more input is needed. */
  advance(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.#stage !== "end" && this.#stage !== "broken") {
      if (this.#stage === "data end" && this.#missing > 0) break;
      this.#stage = this.#read(bytes[at++] ?? 0);
    }
    return at;
  }

  #read(byte: number): Stage {
    switch (this.#stage) {
      case "size":
        return this.#readSize(byte);
      case "blank":
        return this.#readAfterSize(byte);
      case "extension":
        return this.#readExtension(byte);
      case "size end":
        this.#digits = 0;
        if (byte !== LF) return "broken";
        return this.#missing === 0 ? "line" : "data end";
      case "data end":
        return byte === CR ? "data end LF" : "broken";
      case "data end LF":
        return byte === LF ? "size" : "broken";
      case "line":
        return byte === CR ? "last LF" : this.#readTrailer(byte);
      case "trailer":
        return this.#readTrailer(byte);
      case "trailer end":
        return byte === LF ? "line" : "broken";
      case "last LF":
        return byte === LF ? "end" : "broken";
      case "end":
      case "broken":
        return this.#stage;
    }
  }

  #readSize(byte: number): Stage {
    const digit = toDigit(byte);
    if (digit < 0) return this.#digits === 0 ? "broken" : this.#readAfterSize(byte);
    this.#missing = this.#missing * 16 + digit;
    const isTooLong = ++this.#digits > MAX_SIZE_DIGITS;
    return isTooLong || this.#missing > Number.MAX_SAFE_INTEGER ? "broken" : "size";
  }

  #readAfterSize(byte: number): Stage {
    if (byte === CR) return "size end";
    if (byte === SEMICOLON) return "extension";
    if (byte !== SPACE && byte !== TAB) return "broken";
    return ++this.#extensionBytes > MAX_EXTENSION_BYTES ? "broken" : "blank";
  }

  #readExtension(byte: number): Stage {
    if (byte === CR) return "size end";
    return byte === LF || ++this.#extensionBytes > MAX_EXTENSION_BYTES ? "broken" : "extension";
  }

  #readTrailer(byte: number): Stage {
    if (byte === CR) return "trailer end";
    return byte === LF || ++this.#trailerBytes > MAX_TRAILER_BYTES ? "broken" : "trailer";
  }
}

/** Returns the value of a hexadecimal digit, or -1 for any other byte. */
function toDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

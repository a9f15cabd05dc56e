/**
 * The chunked transfer coding (RFC 9112 §7.1): what surrounds the data. Parsed byte by byte, so that no byte is looked
 * at twice however the input is cut, and as strictly as by Deno's `fetch`.
 *
 * @module
 */
import { isToken } from "../grammar.ts";
import { COLON, CR, DELETE, LF, SEMICOLON, SPACE, TAB } from "./ascii.ts";

type Stage =
  | "size"
  | "blank"
  | "extension"
  | "size end"
  | "data end"
  | "data end LF"
  | "line"
  | "trailer name"
  | "trailer value"
  | "trailer end"
  | "last LF"
  | "end"
  | "broken";

// Both are ignored. As much in total as Deno's `fetch` accepts.
const MAX_EXTENSION_BYTES = 16_384;
const MAX_TRAILER_BYTES = 16_384;
// As many as the largest size has, with some zeros; more zeros count as an extension.
const MAX_SIZE_DIGITS = 16;

const WRONG_SIZE = "a chunk size is not valid";
const WRONG_END = "a chunk has a wrong end";
const WRONG_TRAILER = "a trailer field is not valid";
const LONG_EXTENSIONS = `its chunk extensions are longer than ${MAX_EXTENSION_BYTES} bytes`;
const LONG_TRAILERS = `its trailer fields are longer than ${MAX_TRAILER_BYTES} bytes`;

/** Parses the framing of one body. */
export class ChunkParser {
  #stage: Stage = "size";
  #missing = 0;
  #digits = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  #problem: string | undefined = undefined;

  /** Bytes of the current chunk that have not been taken. */
  get missing(): number {
    return this.#stage === "data end" ? this.#missing : 0;
  }

  /** Whether the body has ended, properly or broken. */
  get hasEnded(): boolean {
    return this.#stage === "end" || this.#stage === "broken";
  }

  /** What is wrong with the input, as a clause; `undefined` as long as it is a chunked body. */
  get problem(): string | undefined {
    return this.#problem;
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
        if (byte !== LF) return this.#break(WRONG_SIZE);
        return this.#missing === 0 ? "line" : "data end";
      case "data end":
        return byte === CR ? "data end LF" : this.#break(WRONG_END);
      case "data end LF":
        return byte === LF ? "size" : this.#break(WRONG_END);
      case "line":
        return byte === CR ? "last LF" : this.#readTrailerName(byte);
      case "trailer name":
        return byte === COLON ? this.#count("trailer value") : this.#readTrailerName(byte);
      case "trailer value":
        return this.#readTrailerValue(byte);
      case "trailer end":
        return byte === LF ? "line" : this.#break(WRONG_TRAILER);
      case "last LF":
        return byte === LF ? "end" : this.#break(WRONG_TRAILER);
      case "end":
      case "broken":
        return this.#stage;
    }
  }

  #readSize(byte: number): Stage {
    const digit = toDigit(byte);
    if (digit < 0) return this.#digits === 0 ? this.#break(WRONG_SIZE) : this.#readAfterSize(byte);
    this.#missing = this.#missing * 16 + digit;
    if (this.#missing > Number.MAX_SAFE_INTEGER) return this.#break(WRONG_SIZE);
    return ++this.#digits > MAX_SIZE_DIGITS ? this.#extend("size") : "size";
  }

  #readAfterSize(byte: number): Stage {
    if (byte === CR) return "size end";
    if (byte === SEMICOLON) return "extension";
    return byte === SPACE || byte === TAB ? this.#extend("blank") : this.#break(WRONG_SIZE);
  }

  #readExtension(byte: number): Stage {
    if (byte === CR) return "size end";
    return byte === LF ? this.#break(WRONG_SIZE) : this.#extend("extension");
  }

  #extend(next: Stage): Stage {
    return ++this.#extensionBytes > MAX_EXTENSION_BYTES ? this.#break(LONG_EXTENSIONS) : next;
  }

  /** Reads a byte of a name, of which a line has at least one: so no line begins with whitespace, as a folded one does. */
  #readTrailerName(byte: number): Stage {
    const isValid = isToken(String.fromCharCode(byte));
    return isValid ? this.#count("trailer name") : this.#break(WRONG_TRAILER);
  }

  #readTrailerValue(byte: number): Stage {
    if (byte === CR) return "trailer end";
    const isValid = byte >= SPACE && byte !== DELETE || byte === TAB;
    return isValid ? this.#count("trailer value") : this.#break(WRONG_TRAILER);
  }

  #count(next: Stage): Stage {
    return ++this.#trailerBytes > MAX_TRAILER_BYTES ? this.#break(LONG_TRAILERS) : next;
  }

  #break(problem: string): Stage {
    this.#problem = problem;
    return "broken";
  }
}

/** Returns the value of a hexadecimal digit, or -1 for any other byte. */
function toDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

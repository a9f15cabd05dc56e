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
// The largest size has fewer. Further leading zeros count as an extension.
const MAX_SIZE_DIGITS = 16;

/** What is wrong when a stage meets a byte that it does not expect. */
const PROBLEMS: Readonly<Record<Stage, string>> = {
  "size": "a chunk has no valid size",
  "blank": "a chunk has no valid size",
  "extension": "a chunk extension is not valid",
  "size end": "a chunk has no valid size",
  "data end": "a chunk is longer than its size",
  "data end LF": "a chunk is longer than its size",
  "line": "a trailer field is not valid",
  "trailer name": "a trailer field is not valid",
  "trailer value": "a trailer field is not valid",
  "trailer end": "a trailer field is not valid",
  "last LF": "a trailer field is not valid",
  "end": "",
  "broken": "",
};
const LONG_EXTENSIONS = `its chunk extensions are longer than ${MAX_EXTENSION_BYTES} bytes`;
const LONG_TRAILERS = `its trailer fields are longer than ${MAX_TRAILER_BYTES} bytes`;

/** Parses the framing of one body. */
export class ChunkParser {
  #stage: Stage = "size";
  #missing = 0;
  #digits = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  /** The stage at which the input was found to be broken. */
  #brokenAt: Stage = "broken";

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

  /** What is wrong with the input when it is broken, as a clause. */
  get problem(): string {
    if (this.#extensionBytes > MAX_EXTENSION_BYTES) return LONG_EXTENSIONS;
    if (this.#trailerBytes > MAX_TRAILER_BYTES) return LONG_TRAILERS;
    return PROBLEMS[this.#brokenAt];
  }

  /** Notes that bytes of the current chunk were taken: at most as many as are missing. */
  take(bytes: number): void {
    this.#missing -= bytes;
  }

  /** Parses what surrounds data. Returns the index where data begins, or `end` when more input is needed. */
  advance(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    let stage = this.#stage;
    let before = stage;
    while (at < end && stage !== "end" && stage !== "broken") {
      if (stage === "data end" && this.#missing > 0) break;
      before = stage;
      stage = this.#read(stage, bytes[at++] ?? 0);
    }
    this.#stage = stage;
    if (stage === "broken" && before !== "broken") this.#brokenAt = before;
    return at;
  }

  #read(stage: Stage, byte: number): Stage {
    switch (stage) {
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
        return byte === CR ? "last LF" : this.#readTrailerName(byte);
      case "trailer name":
        return byte === COLON ? "trailer value" : this.#readTrailerName(byte);
      case "trailer value":
        return this.#readTrailerValue(byte);
      case "trailer end":
        return byte === LF ? "line" : "broken";
      case "last LF":
        return byte === LF ? "end" : "broken";
      case "end":
      case "broken":
        return stage;
    }
  }

  #readSize(byte: number): Stage {
    const digit = toDigit(byte);
    if (digit < 0) return this.#digits === 0 ? "broken" : this.#readAfterSize(byte);
    this.#missing = this.#missing * 16 + digit;
    if (++this.#digits > MAX_SIZE_DIGITS) this.#extensionBytes++;
    const isTooLong = this.#extensionBytes > MAX_EXTENSION_BYTES;
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

  /** Reads a byte of a name. A line has at least one, so none begins with whitespace, as a folded line does. */
  #readTrailerName(byte: number): Stage {
    const isValid = isToken(String.fromCharCode(byte));
    return !isValid || ++this.#trailerBytes > MAX_TRAILER_BYTES ? "broken" : "trailer name";
  }

  /** Reads a byte of a value (RFC 9110 §5.5). */
  #readTrailerValue(byte: number): Stage {
    if (byte === CR) return "trailer end";
    const isValid = byte >= SPACE && byte !== DELETE || byte === TAB;
    return !isValid || ++this.#trailerBytes > MAX_TRAILER_BYTES ? "broken" : "trailer value";
  }
}

/** Returns the value of a hexadecimal digit, or -1 for any other byte. */
function toDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

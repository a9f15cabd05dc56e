/**
 * The chunked transfer coding (RFC 9112 §7.1): what stands around the data. Read byte by byte, so that nothing
 * is looked at twice however it is cut, and as strictly as Deno's `fetch` does.
 *
 * @module
 */
import { CR, LF, SEMICOLON, SPACE, TAB } from "./ascii.ts";

/** Reads the framing of one body. */
export interface ChunkParser {
  /** Bytes of the current chunk that are still to come; counted down by whoever takes them. */
  missing: number;
  /** The body has ended: where it should, or broken. */
  readonly hasEnded: boolean;
  /** What came is no chunked body. */
  readonly isBroken: boolean;
  /** Goes on behind the data of a chunk; gives where data begins again, or the end of what has come. */
  advance(bytes: Uint8Array, start: number, end: number): number;
}

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

// Neither is for the client; all in all, as much as Deno's `fetch` takes.
const MAX_EXTENSION_BYTES = 16_384;
const MAX_TRAILER_BYTES = 16_384;
// Leading zeros are no reason to read on and on.
const MAX_SIZE_DIGITS = 16;

/** Creates a {@linkcode ChunkParser}. */
export function createChunkParser(): ChunkParser {
  let stage: Stage = "size";
  let missing = 0;
  let digits = 0;
  let extensionBytes = 0;
  let trailerBytes = 0;

  function readSize(byte: number): Stage {
    const digit = toDigit(byte);
    if (digit >= 0) {
      missing = missing * 16 + digit;
      return ++digits > MAX_SIZE_DIGITS || missing > Number.MAX_SAFE_INTEGER ? "broken" : "size";
    }
    return digits === 0 ? "broken" : readBehindSize(byte);
  }

  function readBehindSize(byte: number): Stage {
    if (byte === CR) return "size end";
    if (byte === SEMICOLON) return "extension";
    if (byte !== SPACE && byte !== TAB) return "broken";
    return ++extensionBytes > MAX_EXTENSION_BYTES ? "broken" : "blank";
  }

  function readExtension(byte: number): Stage {
    if (byte === CR) return "size end";
    return byte === LF || ++extensionBytes > MAX_EXTENSION_BYTES ? "broken" : "extension";
  }

  function readTrailer(byte: number): Stage {
    if (byte === CR) return "trailer end";
    return byte === LF || ++trailerBytes > MAX_TRAILER_BYTES ? "broken" : "trailer";
  }

  function read(byte: number): Stage {
    switch (stage) {
      case "size":
        return readSize(byte);
      case "blank":
        return readBehindSize(byte);
      case "extension":
        return readExtension(byte);
      case "size end":
        digits = 0;
        if (byte !== LF) return "broken";
        return missing === 0 ? "line" : "data end";
      case "data end":
        return byte === CR ? "data end LF" : "broken";
      case "data end LF":
        return byte === LF ? "size" : "broken";
      case "line":
        return byte === CR ? "last LF" : readTrailer(byte);
      case "trailer":
        return readTrailer(byte);
      case "trailer end":
        return byte === LF ? "line" : "broken";
      case "last LF":
        return byte === LF ? "end" : "broken";
      case "end":
      case "broken":
        return stage;
    }
  }

  return {
    get missing(): number {
      return stage === "data end" ? missing : 0;
    },
    set missing(bytes: number) {
      missing = bytes;
    },
    get hasEnded(): boolean {
      return stage === "end" || stage === "broken";
    },
    get isBroken(): boolean {
      return stage === "broken";
    },
    advance(bytes, start, end): number {
      let at = start;
      while (at < end && stage !== "end" && stage !== "broken") {
        if (stage === "data end" && missing > 0) break;
        stage = read(bytes[at++] ?? 0);
        if (stage === "broken") missing = 0;
      }
      return at;
    },
  };
}

/** The value of a hexadecimal digit; -1: it is none. */
function toDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

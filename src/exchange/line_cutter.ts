/**
 * Cuts the bytes of a stream into lines.
 *
 * @module
 */
import { Buffer, isAscii } from "node:buffer";
import type { Bytes } from "../http/body.ts";
import { CR, LF } from "../http/h1/ascii.ts";
import type { EventBytes } from "./event_bytes.ts";
import { decodeText, eventTooLarge } from "./stream_event.ts";

/** What ends a line, and how long a line may be. */
export interface LineRules {
  /** Whether a CR ends a line, like LF and CR LF. */
  readonly endsAtCR: boolean;
  /** The largest line in bytes, without its end. */
  readonly maxLineBytes: number;
  /** What the error of a longer line names. */
  readonly maxEventBytes: number;
}

/**
 * Cuts pieces of a stream into lines. A line that is in one piece is not copied; other lines are put together behind
 * the bytes that are kept already.
 */
export class LineCutter {
  /** The memory of the line that was cut last, and where the line is there. */
  bytes: Bytes = new Uint8Array();
  start = 0;
  end = 0;
  /** How many lines have been cut. */
  count = 0;
  readonly kept: EventBytes;
  readonly #rules: LineRules;
  #input: Bytes = this.bytes;
  /** The input with one character for each byte, since V8 searches text faster than bytes. */
  #text = "";
  /** Whether the characters are those of the text, too. */
  #isAscii = true;
  #at = 0;
  #nextLF = 0;
  #nextCR = 0;
  #skipsLF = false;
  /** Where the beginning of a line is kept; -1 when none is. */
  #keptFrom = -1;

  constructor(rules: LineRules, kept: EventBytes) {
    this.#rules = rules;
    this.kept = kept;
  }

  /** Takes the next piece of the stream, when the piece before is used up. The piece must stay as it is until then. */
  load(input: Bytes): void {
    this.#text = Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString("latin1");
    this.#isAscii = isAscii(input);
    this.#input = input;
    this.#at = 0;
    this.#nextLF = -1;
    this.#nextCR = -1;
  }

  /**
   * Cuts the next line. Returns `false` when the piece has no further end of a line, and a promise when the call has to
   * be repeated later. When the line is in `kept.bytes`, the caller removes it by setting `kept.length`.
   *
   * @throws {ProxyError} `http_response_body_size`: the line is too long.
   */
  cut(): boolean | Promise<void> {
    const end = this.#findEnd();
    const start = this.#at;
    if (end < 0) return false;
    if (this.#keptFrom < 0) {
      if (end - start > this.#rules.maxLineBytes) throw eventTooLarge(this.#rules.maxEventBytes);
      this.bytes = this.#input;
      this.start = start;
      this.end = end;
    } else {
      const waiting = this.#keep(end);
      if (waiting !== undefined) return waiting;
      this.bytes = this.kept.bytes;
      this.start = this.#keptFrom;
      this.end = this.kept.length;
      this.#keptFrom = -1;
    }
    this.#at = end + 1;
    this.#skipsLF = this.#rules.endsAtCR && this.#input[end] === CR;
    this.count++;
    return true;
  }

  /**
   * Keeps the beginning of a line that a later piece continues. Returns a promise when the call has to be repeated
   * later.
   *
   * @throws {ProxyError} `http_response_body_size`: the line is too long.
   */
  keepRest(): Promise<void> | undefined {
    const end = this.#input.byteLength;
    return this.#at < end ? this.#keep(end) : undefined;
  }

  /** Returns a part of the memory of the last line as text. */
  textOf(bytes: Bytes, start: number, end: number): string {
    return this.#isAscii && bytes === this.#input
      ? this.#text.slice(start, end)
      : decodeText(bytes, start, end);
  }

  /** Returns where the next line ends; -1 when that has not arrived. */
  #findEnd(): number {
    const at = this.#skipLF();
    if (at >= this.#input.byteLength) return -1;
    if (this.#nextLF < at) this.#nextLF = indexOf(this.#text, "\n", at);
    if (!this.#rules.endsAtCR) return this.#nextLF === Infinity ? -1 : this.#nextLF;
    if (this.#nextCR < at) this.#nextCR = indexOf(this.#text, "\r", at);
    const end = Math.min(this.#nextLF, this.#nextCR);
    return end === Infinity ? -1 : end;
  }

  /** Skips the LF of a CR LF. Returns the position after it. */
  #skipLF(): number {
    if (!this.#skipsLF || this.#at >= this.#input.byteLength) return this.#at;
    this.#skipsLF = false;
    return this.#input[this.#at] === LF ? ++this.#at : this.#at;
  }

  /** Appends the input up to `end` to what is kept of the line. */
  #keep(end: number): Promise<void> | undefined {
    const { kept } = this;
    const { maxLineBytes, maxEventBytes } = this.#rules;
    const from = this.#keptFrom < 0 ? kept.length : this.#keptFrom;
    const more = end - this.#at;
    if (kept.length - from + more > maxLineBytes) throw eventTooLarge(maxEventBytes);
    const waiting = kept.reserve(more);
    if (waiting !== undefined) return waiting;
    kept.append(this.#input, this.#at, end);
    this.#keptFrom = from;
    this.#at = end;
    return undefined;
  }
}

/** Returns `Infinity` for a character that does not follow, so that it is not looked for again. */
function indexOf(text: string, character: string, from: number): number {
  const index = text.indexOf(character, from);
  return index < 0 ? Infinity : index;
}

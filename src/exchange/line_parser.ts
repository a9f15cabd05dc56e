/**
 * Parses a stream into its lines.
 *
 * @module
 */
import type { Bytes } from "../http/body.ts";
import { CR } from "../http/h1/ascii.ts";
import type { KeptBytes } from "../http/kept_bytes.ts";
import { EventBytes, FREE_BYTES } from "./event_bytes.ts";
import { LineCutter } from "./line_cutter.ts";
import { createEvent, eventTooLarge, type StreamEvent, type StreamParser } from "./stream_event.ts";

/** Parses lines that end with LF or CR LF. The last line needs no end. */
export class LineParser implements StreamParser {
  readonly #lines: LineCutter;
  readonly #kept: EventBytes;
  readonly #maxEventBytes: number;

  constructor(maxEventBytes: number, memory: KeptBytes | undefined) {
    const maxLineBytes = maxEventBytes + 1; // the last byte may be the CR of a CR LF
    this.#kept = new EventBytes(maxLineBytes, memory);
    this.#maxEventBytes = maxEventBytes;
    this.#lines = new LineCutter({ endsAtCR: false, maxLineBytes, maxEventBytes }, this.#kept);
  }

  get lines(): number {
    return this.#lines.count;
  }

  load(piece: Bytes): void {
    this.#lines.load(piece);
  }

  next(): StreamEvent | Promise<void> | undefined {
    this.#kept.reclaim();
    const isCut = this.#lines.cut();
    if (isCut instanceof Promise) return isCut;
    if (!isCut) return this.#lines.keepRest();
    const { bytes, start, end } = this.#lines;
    return this.#make(bytes, start, end > start && bytes[end - 1] === CR ? end - 1 : end);
  }

  end(): StreamEvent | undefined {
    const { bytes, length } = this.#kept;
    return length === 0 ? undefined : this.#make(bytes, 0, length);
  }

  close(): void {
    this.#kept.clear();
  }

  #make(bytes: Bytes, start: number, end: number): StreamEvent {
    if (end - start > this.#maxEventBytes) throw eventTooLarge(this.#maxEventBytes);
    const kept = this.#kept;
    const isKept = bytes === kept.bytes;
    if (isKept && end - start > FREE_BYTES) return createEvent("line", kept.lend(start, end));
    const data = this.#lines.textOf(bytes, start, end);
    if (isKept) kept.clear();
    return createEvent("line", data);
  }
}

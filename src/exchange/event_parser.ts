/**
 * Parses lines into server-sent events (WHATWG HTML §9.2.6).
 *
 * @module
 */
import type { Bytes } from "../http/body.ts";
import { COLON, LF, SPACE } from "../http/h1/ascii.ts";
import type { KeptBytes } from "../http/kept_bytes.ts";
import { EventBytes, FREE_BYTES } from "./event_bytes.ts";
import { LineCutter } from "./line_cutter.ts";
import { createEvent, eventTooLarge, type StreamEvent, type StreamParser } from "./stream_event.ts";

// Every event repeats the last id. No server takes one of this size in `last-event-id`.
const MAX_FIELD_BYTES = 65_536;
const MAX_RETRY_DIGITS = 15;
const LONGEST_PREFIX = "event: ".length;

/** Each field of an event, by the first byte of its name. */
const FIELDS: Readonly<Record<number, { readonly name: Bytes; readonly field: Field }>> = Object
  .fromEntries(
    (["data", "event", "id", "retry"] as const).map((field) => {
      const name = new TextEncoder().encode(field);
      return [name[0], { name, field }];
    }),
  );

type Field = "data" | "event" | "id" | "retry";

/** Parses server-sent events. */
export class ServerSentEventParser implements StreamParser {
  readonly #lines: LineCutter;
  readonly #kept: EventBytes;
  readonly #maxEventBytes: number;
  readonly #maxFieldBytes: number;
  /** Whether a line was cut that is not parsed yet. */
  #hasLine = false;
  /** The size of the data so far, with a LF after each line. */
  #dataBytes = 0;
  /** The only line of the data so far, in the piece that is being parsed. */
  #only: { readonly bytes: Bytes; readonly start: number; readonly end: number } | undefined;
  #event = "";
  #lastEventId: string | undefined;
  #retryMs: number | undefined;

  constructor(maxEventBytes: number, memory: KeptBytes | undefined) {
    const maxLineBytes = maxEventBytes + LONGEST_PREFIX;
    this.#kept = new EventBytes(maxLineBytes, memory);
    this.#maxEventBytes = maxEventBytes;
    this.#maxFieldBytes = Math.min(maxEventBytes, MAX_FIELD_BYTES);
    this.#lines = new LineCutter({ endsAtCR: true, maxLineBytes, maxEventBytes }, this.#kept);
  }

  get lines(): number {
    return this.#lines.count;
  }

  load(piece: Bytes): void {
    this.#lines.load(piece);
  }

  next(): StreamEvent | Promise<void> | undefined {
    this.#kept.reclaim();
    for (;;) {
      const isCut = this.#hasLine || this.#lines.cut();
      if (isCut instanceof Promise) return isCut;
      if (!isCut) return this.#keepOnly(0) ?? this.#lines.keepRest();
      this.#hasLine = true;
      const taken = this.#takeLine();
      if (taken instanceof Promise) return taken;
      this.#hasLine = false;
      if (taken !== undefined) return taken;
    }
  }

  /** Returns nothing: an event that the end of the stream cuts off is dropped. */
  end(): undefined {}

  close(): void {
    this.#kept.clear();
  }

  #takeLine(): StreamEvent | Promise<void> | undefined {
    const { bytes, start, end } = this.#lines;
    if (start === end) return this.#dispatch();
    const field = fieldOf(bytes, start, end);
    const value = field === undefined ? end : valueOf(bytes, start + field.length, end);
    if (field === "data") return this.#addData(bytes, value, end);
    if (field !== undefined) this.#set(field, bytes, value, end);
    if (bytes === this.#kept.bytes) this.#dropTo(start);
    return undefined;
  }

  /** Drops a line that was kept behind this much data. */
  #dropTo(length: number): void {
    if (length === 0) this.#kept.clear();
    else this.#kept.length = length;
  }

  #set(field: Field, bytes: Bytes, start: number, end: number): void {
    if (field === "retry") {
      if (end - start > MAX_RETRY_DIGITS) return;
    } else if (end - start > this.#maxFieldBytes) throw eventTooLarge(this.#maxFieldBytes, field);
    const value = this.#lines.textOf(bytes, start, end);
    if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#lastEventId = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.#retryMs = Number(value);
  }

  /** Adds a line to the data. Returns a promise when the call has to be repeated later. */
  #addData(bytes: Bytes, start: number, end: number): Promise<void> | undefined {
    const size = end - start;
    const kept = this.#kept;
    if (this.#dataBytes + size > this.#maxEventBytes) throw eventTooLarge(this.#maxEventBytes);
    if (bytes === kept.bytes) { // moves it over the name of its field, which leaves room for the LF
      bytes.copyWithin(this.#lines.start, start, end);
      kept.length = this.#lines.start + size + 1;
      bytes[kept.length - 1] = LF;
    } else if (this.#dataBytes === 0) {
      this.#only = { bytes, start, end };
    } else {
      const waiting = this.#keepOnly(size + 1);
      if (waiting !== undefined) return waiting;
      kept.append(bytes, start, end);
      kept.bytes[kept.length++] = LF;
    }
    this.#dataBytes += size + 1;
    return undefined;
  }

  /** Copies the data from the piece into memory that is kept, with room for more bytes. */
  #keepOnly(more: number): Promise<void> | undefined {
    const only = this.#only;
    const kept = this.#kept;
    if (only === undefined) return more === 0 ? undefined : kept.reserve(more);
    const waiting = kept.reserve(only.end - only.start + 1 + more);
    if (waiting !== undefined) return waiting;
    kept.append(only.bytes, only.start, only.end);
    kept.bytes[kept.length++] = LF;
    this.#only = undefined;
    return undefined;
  }

  /** Returns the event that an empty line completes, if it has data. */
  #dispatch(): StreamEvent | undefined {
    const event = this.#event === "" ? "message" : this.#event;
    this.#event = "";
    if (this.#dataBytes === 0) return;
    const data = this.#takeData(this.#dataBytes - 1);
    this.#dataBytes = 0;
    const lastEventId = this.#lastEventId;
    const retryMs = this.#retryMs;
    if (lastEventId === undefined && retryMs === undefined) return createEvent(event, data);
    this.#retryMs = undefined;
    return createEvent(event, data, {
      ...(lastEventId !== undefined && { lastEventId }),
      ...(retryMs !== undefined && { retryMs }),
    });
  }

  #takeData(size: number): string | Bytes {
    const lines = this.#lines;
    const only = this.#only;
    this.#only = undefined;
    if (only !== undefined) return lines.textOf(only.bytes, only.start, only.end);
    const kept = this.#kept;
    if (size > FREE_BYTES) return kept.lend(0, size);
    const data = lines.textOf(kept.bytes, 0, size);
    kept.clear();
    return data;
  }
}

/** Returns the field that a line sets, or nothing for a comment and a field without a meaning. */
function fieldOf(bytes: Bytes, start: number, end: number): Field | undefined {
  const { name, field } = FIELDS[bytes[start] ?? 0] ?? {};
  if (name === undefined) return undefined;
  const after = start + name.byteLength;
  if (after > end || after < end && bytes[after] !== COLON) return undefined;
  for (let at = 1; at < name.byteLength; at++) if (bytes[start + at] !== name[at]) return undefined;
  return field;
}

/** Returns where the value of a field starts, whose name ends at `at`. */
function valueOf(bytes: Bytes, at: number, end: number): number {
  return at + 1 < end && bytes[at + 1] === SPACE ? at + 2 : Math.min(at + 1, end);
}

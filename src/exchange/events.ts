/**
 * Parses a stream of bytes into server-sent events (WHATWG HTML §9.2.6) or into lines.
 *
 * The parsers of the platform and of `@std` are not used: Deno's streaming decoder removes U+FEFF from every
 * chunk, a transform that fails drops the events before the failure, and each takes quadratic time for a long line.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import type { Bytes } from "../http/body.ts";
import type { KeptBytes } from "../http/kept_bytes.ts";
import type { Turns } from "../turns/turns.ts";
import { ServerSentEventParser } from "./event_parser.ts";
import { LineParser } from "./line_parser.ts";
import type { StreamEvent, StreamParser } from "./stream_event.ts";

export type { StreamEvent } from "./stream_event.ts";

/** What a stream shares with others. */
export interface SharedByStreams {
  /** When the stream is parsed. Default: as soon as it arrives. */
  readonly turns?: Pick<Turns, "take">;
  /** Counts what is kept beyond 16 KiB, and gets back all of it. Default: nothing counts it. */
  readonly memory?: KeptBytes | undefined;
}

/** Parses a stream of bytes into events, none of which may have more than `maxEventBytes` bytes of data. */
export type ToEvents = (
  chunks: AsyncIterable<Bytes>,
  maxEventBytes: number,
  shared?: SharedByStreams,
) => AsyncIterable<StreamEvent>;

// A stream is parsed in pieces of this size, so that no step is long and no text that is cut from one holds much memory.
const PIECE_BYTES = 16_384;
// Costs in bytes. An event becomes a frame of its own, and a chunk passes through several iterators.
const EVENT_COST = 2048;
const CHUNK_COST = 512;
const LINE_COST = 32;
// The turns are asked when work of this cost has gathered.
const STEP_COST = 32_768;

const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

/**
 * Returns the server-sent events of a stream, each as soon as it is complete. An event that the end of the stream
 * cuts off is dropped, as the standard requires.
 *
 * @throws {ProxyError} `http_response_body_size`: an event is too large.
 */
export function toServerSentEvents(
  chunks: AsyncIterable<Bytes>,
  maxEventBytes: number,
  shared: SharedByStreams = {},
): AsyncGenerator<StreamEvent> {
  return parse(chunks, new ServerSentEventParser(maxEventBytes, shared.memory), shared.turns);
}

/**
 * Returns the lines of a stream of UTF-8, each without its LF or CR LF. The last line needs none.
 *
 * @throws {ProxyError} `http_response_body_size`: a line is too large.
 */
export function toLines(
  chunks: AsyncIterable<Bytes>,
  maxEventBytes: number,
  shared: SharedByStreams = {},
): AsyncGenerator<StreamEvent> {
  return parse(chunks, new LineParser(maxEventBytes, shared.memory), shared.turns);
}

async function* parse(
  chunks: AsyncIterable<Bytes>,
  parser: StreamParser,
  turns: SharedByStreams["turns"],
): AsyncGenerator<StreamEvent> {
  const mark = new MarkFilter();
  let cost = 0;
  try {
    for await (const chunk of chunks) {
      cost += CHUNK_COST;
      for (const piece of piecesOf(mark.filter(chunk))) {
        parser.load(piece);
        cost += piece.byteLength;
        for (;;) {
          const { lines } = parser;
          const next = parser.next();
          cost += LINE_COST * (parser.lines - lines);
          if (next instanceof Promise) {
            await next;
          } else if (next !== undefined) {
            cost += costOf(next);
            yield next;
          }
          if (cost >= STEP_COST) {
            const waiting = turns?.take(cost);
            cost = 0;
            if (waiting !== undefined) await waiting;
          }
          if (next === undefined) break;
        }
      }
    }
    parser.load(mark.end());
    const last = parser.next() ?? parser.end();
    if (last instanceof Promise) await last;
    else if (last !== undefined) yield last;
  } finally {
    parser.close();
  }
}

function* piecesOf(bytes: Bytes): Generator<Bytes> {
  for (let start = 0; start < bytes.byteLength; start += PIECE_BYTES) {
    yield bytes.subarray(start, start + PIECE_BYTES);
  }
}

/** The outlet makes frames of events after they were handed on: the data, and the id that each event repeats. */
function costOf({ dataBytes, lastEventId = "" }: StreamEvent): number {
  return EVENT_COST + (dataBytes?.byteLength ?? 0) + lastEventId.length;
}

/** Removes a byte order mark from the start of a stream. */
class MarkFilter {
  /** The bytes that may be the beginning of a mark; `undefined` when the stream has begun. */
  #held: Bytes | undefined = new Uint8Array();

  /** Returns the bytes that can be parsed now. */
  filter(chunk: Bytes): Bytes {
    if (this.#held === undefined) return chunk;
    const bytes = concat([this.#held, chunk]);
    const isMark = BYTE_ORDER_MARK.every((byte, at) => (bytes[at] ?? byte) === byte);
    this.#held = isMark && bytes.byteLength < BYTE_ORDER_MARK.byteLength ? bytes : undefined;
    if (this.#held !== undefined) return bytes.subarray(0, 0);
    return isMark ? bytes.subarray(BYTE_ORDER_MARK.byteLength) : bytes;
  }

  /** Returns the bytes that turned out to be no mark at the end of the stream. */
  end(): Bytes {
    return this.#held ?? new Uint8Array();
  }
}

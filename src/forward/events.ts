/**
 * Bytes as server-sent events (WHATWG HTML §9.2.6) or as lines.
 *
 * @module
 */
import { ServerSentEventParseStream } from "@std/http/server-sent-event-parse-stream";
import { TextLineStream } from "@std/streams/text-line-stream";
import { ProxyError } from "../protocol/mod.ts";

/** An event or a line. */
export interface StreamEvent {
  /** The event's type, `message` unless it names one; `line` for a line. */
  readonly event: string;
  readonly data: string;
  /** The last id that the stream has set, where it has set one. */
  readonly lastEventId?: string;
  /** The reconnection time that the stream has set since the last event, in milliseconds. */
  readonly retryMs?: number;
}

/** Cuts a stream of bytes into events; none may be longer than `maxEventBytes`. */
export type ToEvents = (
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  maxEventBytes: number,
) => AsyncIterable<StreamEvent>;

/** A message of the parser; a comment counts as one. */
interface Message {
  readonly event?: string;
  readonly data?: string;
  readonly id?: string;
  readonly retry?: number;
  readonly comment?: string;
}

// Ends the stream for the parser, which would else dispatch an event that was not finished.
const END = `end-${crypto.randomUUID()}`;

/**
 * Gives the server-sent events of a stream. An event that the stream's end cuts off is dropped, as the
 * algorithm has it.
 *
 * @throws {ProxyError} `http_response_body_size`: an event is too long.
 */
export async function* toServerSentEvents(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  maxEventBytes: number,
): AsyncGenerator<StreamEvent> {
  const size = createSize(maxEventBytes);
  const messages: ReadableStream<Message> = ReadableStream.from(ended(size.counted(chunks)))
    .pipeThrough(new ServerSentEventParseStream());
  let lastEventId = "";
  let retryMs: number | undefined;
  for await (const { event, data, id, retry, comment } of messages) {
    size.reset();
    if (comment?.endsWith(END) === true) return;
    lastEventId = id ?? lastEventId;
    retryMs = retry ?? retryMs;
    if (data === undefined || data === "") continue;
    yield {
      event: event === undefined || event === "" ? "message" : event,
      data,
      ...(lastEventId !== "" && { lastEventId }),
      ...(retryMs !== undefined && { retryMs }),
    };
    retryMs = undefined;
  }
}

/**
 * Gives the lines of a stream of UTF-8, each without its LF or CR LF; the last may lack one.
 *
 * @throws {ProxyError} `http_response_body_size`: a line is too long.
 */
export async function* toLines(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  maxEventBytes: number,
): AsyncGenerator<StreamEvent> {
  const size = createSize(maxEventBytes);
  const lines: ReadableStream<string> = ReadableStream.from(size.counted(chunks))
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const data of lines) {
    size.reset();
    yield { event: "line", data };
  }
}

async function* ended(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield* chunks;
  // Twice: what came last may lack its line end, and then the first is a part of that line.
  yield new TextEncoder().encode(`:${END}\n:${END}\n\n`);
}

interface Size {
  counted(
    chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>>;
  reset(): void;
}

/** Bounds what is read without an event coming out of it. */
function createSize(maxBytes: number): Size {
  let bytes = 0;
  return {
    async *counted(chunks): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      for await (const chunk of chunks) {
        bytes += chunk.byteLength;
        if (bytes > maxBytes + chunk.byteLength) {
          throw new ProxyError(
            "http_response_body_size",
            `An event of the response is longer than ${maxBytes} bytes`,
          );
        }
        yield chunk.slice(); // it is kept until it has been parsed
      }
    },
    reset(): void {
      bytes = 0;
    },
  };
}

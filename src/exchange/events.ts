/**
 * Parses a stream of bytes into server-sent events (WHATWG HTML §9.2.6) or into lines.
 *
 * The parsers of the platform and of `@std` are not used: Deno's streaming decoder removes U+FEFF from every
 * chunk, a transform that fails drops the events before the failure, and each takes quadratic time for a long line.
 *
 * @module
 */
import { ProxyError } from "../protocol/mod.ts";

/** An event or a line. */
export interface StreamEvent {
  /** The type of the event, `message` if the stream names none; `line` for a line. */
  readonly event: string;
  readonly data: string;
  /** The last id that the stream has set; `""` when the stream has reset it, absent when it has set none. */
  readonly lastEventId?: string;
  /** The reconnection time that the stream has set since the last event, in milliseconds. */
  readonly retryMs?: number;
}

/** Parses a stream of bytes into events, none of which may be longer than `maxEventLength` characters. */
export type ToEvents = (
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  maxEventLength: number,
) => AsyncIterable<StreamEvent>;

const BYTE_ORDER_MARK = "\ufeff";

/**
 * Returns the server-sent events of a stream, each as soon as it is complete. An event that the end of the stream
 * cuts off is dropped, as the standard requires.
 *
 * @throws {ProxyError} `http_response_body_size`: an event is too long.
 */
export async function* toServerSentEvents(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  maxEventLength: number,
): AsyncGenerator<StreamEvent> {
  let data: string[] = [];
  let length = 0;
  let event = "";
  let lastEventId: string | undefined;
  let retryMs: number | undefined;
  for await (const line of readLines(chunks, { ends: /\r\n|\r|\n/g, maxEventLength })) {
    if (line === "") {
      const isEvent = data.length > 0;
      const dispatched = {
        event: event === "" ? "message" : event,
        data: data.join("\n"),
        ...(lastEventId !== undefined && { lastEventId }),
        ...(retryMs !== undefined && { retryMs }),
      };
      data = [];
      length = 0;
      event = "";
      if (!isEvent) continue;
      retryMs = undefined;
      yield dispatched;
      continue;
    }
    const { name, value } = parseField(line);
    if (name === "data") {
      data.push(value);
      length += value.length + 1;
      if (length > maxEventLength) throw tooLong(maxEventLength);
    } else if (name === "event") event = value;
    else if (name === "id" && !value.includes("\0")) lastEventId = value;
    else if (name === "retry" && /^\d{1,15}$/.test(value)) retryMs = Number(value);
  }
}

/**
 * Returns the lines of a stream of UTF-8, each without its LF or CR LF. The last line needs none.
 *
 * @throws {ProxyError} `http_response_body_size`: a line is too long.
 */
export async function* toLines(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  maxEventLength: number,
): AsyncGenerator<StreamEvent> {
  for await (const data of readLines(chunks, { ends: /\r?\n/g, maxEventLength, lastToo: true })) {
    if (data.length > maxEventLength) throw tooLong(maxEventLength); // a line in one piece was not counted
    yield { event: "line", data };
  }
}

/** Parses a line into a field; a comment has the name `""`. */
function parseField(line: string): { readonly name: string; readonly value: string } {
  const colon = line.indexOf(":");
  if (colon < 0) return { name: line, value: "" };
  return {
    name: line.slice(0, colon),
    value: line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1),
  };
}

/**
 * Returns the lines of a stream.
 *
 * @param ends Matches the end of a line; global.
 * @param lastToo Whether text after the last end is a line too. Default `false`.
 */
async function* readLines(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  { ends, maxEventLength, lastToo = false }: {
    readonly ends: RegExp;
    readonly maxEventLength: number;
    readonly lastToo?: boolean;
  },
): AsyncGenerator<string> {
  const pieces: string[] = []; // of the line that has no end yet
  let length = 0;
  let heldCR = "";

  function* cut(text: string): Generator<string> {
    let start = 0;
    for (const { index, 0: end } of text.matchAll(ends)) {
      pieces.push(text.slice(start, index));
      yield pieces.splice(0).join("");
      start = index + end.length;
      length = 0;
    }
    pieces.push(text.slice(start));
    length += text.length - start;
    if (length > maxEventLength) throw tooLong(maxEventLength);
  }

  for await (const text of decode(chunks)) {
    // A CR at the end may be the first half of CR LF.
    const whole = heldCR + text;
    heldCR = whole.endsWith("\r") ? "\r" : "";
    yield* cut(heldCR === "" ? whole : whole.slice(0, -1));
  }
  if (heldCR !== "") yield* cut(heldCR);
  const last = pieces.join("");
  if (lastToo && last !== "") yield last;
}

/** Returns the text of a stream of UTF-8, without a byte order mark at its start. */
async function* decode(chunks: AsyncIterable<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let isStart = true;
  const strip = (text: string): string => {
    if (text === "" || !isStart) return text;
    isStart = false;
    return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  };
  for await (const chunk of chunks) yield strip(decoder.decode(chunk, { stream: true }));
  yield strip(decoder.decode());
}

function tooLong(maxEventLength: number): ProxyError {
  return new ProxyError(
    "http_response_body_size",
    `An event of the response is longer than ${maxEventLength} characters`,
  );
}

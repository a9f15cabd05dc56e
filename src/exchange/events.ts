/**
 * Bytes as server-sent events (WHATWG HTML §9.2.6) or as lines.
 *
 * The parsers of the platform and of `@std` are not used: Deno's streaming decoder takes U+FEFF off every
 * chunk, a transform that fails drops the events it had made, and each costs quadratic time on a long line.
 *
 * @module
 */
import { ProxyError } from "../protocol/mod.ts";

/** An event or a line. */
export interface StreamEvent {
  /** The event's type, `message` unless it names one; `line` for a line. */
  readonly event: string;
  readonly data: string;
  /** The last id that the stream has set, where it has set one; `""`: it has taken it back. */
  readonly lastEventId?: string;
  /** The reconnection time that the stream has set since the last event, in milliseconds. */
  readonly retryMs?: number;
}

/** Cuts a stream of bytes into events; none may be longer than `maxEventLength`, in characters. */
export type ToEvents = (
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  maxEventLength: number,
) => AsyncIterable<StreamEvent>;

const BYTE_ORDER_MARK = "\ufeff";

/**
 * Gives the server-sent events of a stream as soon as each is complete. One that the stream's end cuts off
 * is dropped, as the algorithm has it.
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
 * Gives the lines of a stream of UTF-8, each without its LF or CR LF; the last may lack one.
 *
 * @throws {ProxyError} `http_response_body_size`: a line is too long.
 */
export async function* toLines(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  maxEventLength: number,
): AsyncGenerator<StreamEvent> {
  for await (const data of readLines(chunks, { ends: /\r?\n/g, maxEventLength, lastToo: true })) {
    if (data.length > maxEventLength) throw tooLong(maxEventLength); // it may come in one piece
    yield { event: "line", data };
  }
}

/** A field; a comment has the name `""`. */
function parseField(line: string): { readonly name: string; readonly value: string } {
  const colon = line.indexOf(":");
  if (colon < 0) return { name: line, value: "" };
  return {
    name: line.slice(0, colon),
    value: line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1),
  };
}

interface LineOptions {
  /** What ends a line; global. */
  readonly ends: RegExp;
  readonly maxEventLength: number;
  /** Whether what stands behind the last end is a line too. */
  readonly lastToo?: boolean;
}

async function* readLines(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  { ends, maxEventLength, lastToo = false }: LineOptions,
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

/** Gives the text of a stream of UTF-8, without a byte order mark at its start. */
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

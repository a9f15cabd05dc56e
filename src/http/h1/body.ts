/**
 * The body of an HTTP/1.1 response (RFC 9112 §6 and §7), as it comes.
 *
 * @module
 */
import type { Bytes } from "../body.ts";
import { incomplete } from "../failures.ts";
import { createChunkParser } from "./chunks.ts";
import type { TcpConnection } from "./connection.ts";
import type { Framing } from "./response_head.ts";

/** Gives one piece of a body after the other. */
export interface BodyReader {
  /**
   * Gives the next piece, at once where it has come; `undefined`: the body has ended. A piece is good until
   * the next is asked for.
   *
   * @throws {ProxyError} `http_response_incomplete`; and what the connection throws.
   */
  next(): Bytes | undefined | Promise<Bytes | undefined>;
}

// For a body of more than a few KB: as much as the system gives at a time.
const STREAM_BYTES = 65_536;

/**
 * Creates what reads a body.
 *
 * @param method The request's method, which decides whether it may be sent again.
 */
export function createBodyReader(
  connection: TcpConnection,
  framing: Framing,
  method: string,
): BodyReader {
  if (framing === "chunked") return createChunkedReader(connection, method);
  const isCounted = framing !== "close";
  let missing = isCounted ? framing : Infinity;

  function take(): Bytes {
    const { start, end } = connection;
    const until = Math.min(end, start + missing);
    connection.start = until;
    missing -= until - start;
    return pieceOf(connection, start, until);
  }

  async function wait(): Promise<Bytes | undefined> {
    if (missing > connection.memory.length) connection.reserve(STREAM_BYTES);
    if (await connection.fill()) return take();
    if (isCounted) throw incomplete(method);
    missing = 0;
    return undefined;
  }

  return {
    next(): Bytes | undefined | Promise<Bytes | undefined> {
      if (missing === 0) return undefined;
      return connection.start < connection.end ? take() : wait();
    },
  };
}

function createChunkedReader(connection: TcpConnection, method: string): BodyReader {
  const parser = createChunkParser();

  /** Goes through what stands between data; `false`: more has to come first. */
  function advance(): boolean {
    const { memory, start, end } = connection;
    connection.start = parser.advance(memory, start, end);
    return parser.hasEnded || connection.start < end;
  }

  /** Gives the data of all chunks that have come, in one piece: a chunk may be as small as a byte. */
  function take(): Bytes | undefined {
    const { memory, start: from, end } = connection;
    let until = from;
    while (parser.missing > 0 && connection.start < end) {
      const { start } = connection;
      const stop = Math.min(end, start + parser.missing);
      if (until < start) memory.copyWithin(until, start, stop);
      until += stop - start;
      parser.missing -= stop - start;
      connection.start = parser.advance(memory, stop, end);
    }
    if (until > from) return pieceOf(connection, from, until); // before it is told what is wrong behind it
    if (parser.isBroken) throw incomplete(method);
    return undefined;
  }

  async function wait(): Promise<Bytes | undefined> {
    do {
      const { memory, end } = connection;
      // What has filled the memory goes on.
      if (parser.missing > memory.length || end === memory.length) connection.reserve(STREAM_BYTES);
      if (!await connection.fill()) throw incomplete(method);
    } while (!advance());
    return take();
  }

  return { next: () => advance() ? take() : wait() };
}

/** Not a `Buffer`, whose `slice` is no copy. */
function pieceOf({ memory }: TcpConnection, start: number, end: number): Bytes {
  return new Uint8Array(memory.buffer, memory.byteOffset + start, end - start);
}

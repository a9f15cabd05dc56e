/**
 * The body of an HTTP/1.1 response (RFC 9112 §6 and §7), as it comes.
 *
 * @module
 */
import { ProxyError } from "../protocol/mod.ts";
import type { Connection } from "./connection.ts";
import type { Framing } from "./response_head.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Gives one piece of a body after the other. */
export interface BodyReader {
  /**
   * Gives the next piece, at once where it has come; `undefined`: the body has ended. A piece is good until
   * the next is asked for.
   *
   * @throws {ProxyError} `http_response_incomplete`; and what the connection throws.
   */
  next(): Bytes | undefined | Promise<Bytes | undefined>;
  /** The body has ended where it should. */
  readonly isComplete: boolean;
}

// For a body of more than a few KB: as much as the system gives at a time.
const STREAM_BYTES = 65_536;
// The size of a chunk and its extensions, and a trailer section, are not for the client.
const MAX_LINE_BYTES = 4096;
const MAX_TRAILER_BYTES = 65_536;
const LF = 0x0a;
const CR = 0x0d;
// deno-lint-ignore no-control-regex -- the line may hold whatever is no control character
const CHUNK_SIZE = /^([\da-f]{1,12})[ \t]*(?:;[^\0-\x08\x0a-\x1f\x7f]*)?$/i;

/**
 * Creates what reads a body.
 *
 * @param method The request's method, which decides whether it may be sent again.
 */
export function createBodyReader(
  connection: Connection,
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
    get isComplete(): boolean {
      return missing === 0;
    },
  };
}

/** Says that a body has ended before its end. */
export function incomplete(method: string, cause?: unknown): ProxyError {
  return new ProxyError(
    "http_response_incomplete",
    "The destination broke off inside the response body",
    { method, cause },
  );
}

type Stage = "size" | "data" | "data end" | "trailer" | "end";

function createChunkedReader(connection: Connection, method: string): BodyReader {
  let stage: Stage = "size";
  let missing = 0;
  let trailerBytes = 0;

  /** Takes a line that has come whole, without its end; `undefined`: it has not. */
  function takeLine(): string | undefined {
    const { memory, start, end } = connection;
    let at = start;
    while (at < end && memory[at] !== LF) at++;
    if (at === end) {
      if (end - start > MAX_LINE_BYTES) throw incomplete(method);
      return undefined;
    }
    connection.start = at + 1;
    return memory.toString("latin1", start, at > start && memory[at - 1] === CR ? at - 1 : at);
  }

  /** Goes through what has come up to the next piece of data; `false`: more has to come first. */
  function advance(): boolean {
    while (stage !== "data" && stage !== "end") {
      const line = takeLine();
      if (line === undefined) return false;
      if (stage === "size") {
        const size = CHUNK_SIZE.exec(line)?.[1];
        if (size === undefined) throw incomplete(method);
        missing = parseInt(size, 16);
        stage = missing === 0 ? "trailer" : "data";
      } else if (stage === "data end") {
        if (line !== "") throw incomplete(method);
        stage = "size";
      } else {
        trailerBytes += line.length;
        if (trailerBytes > MAX_TRAILER_BYTES) throw incomplete(method);
        if (line === "") stage = "end";
      }
    }
    return stage === "end" || connection.start < connection.end;
  }

  function take(): Bytes | undefined {
    if (stage === "end") return undefined;
    const { start, end } = connection;
    const until = Math.min(end, start + missing);
    connection.start = until;
    missing -= until - start;
    if (missing === 0) stage = "data end";
    return pieceOf(connection, start, until);
  }

  async function wait(): Promise<Bytes | undefined> {
    do {
      if (missing > connection.memory.length) connection.reserve(STREAM_BYTES);
      if (!await connection.fill()) throw incomplete(method);
    } while (!advance());
    return take();
  }

  return {
    next: () => advance() ? take() : wait(),
    get isComplete(): boolean {
      return stage === "end";
    },
  };
}

/** Not a `Buffer`, whose `slice` is no copy. */
function pieceOf({ memory }: Connection, start: number, end: number): Bytes {
  return new Uint8Array(memory.buffer, memory.byteOffset + start, end - start);
}

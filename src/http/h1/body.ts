/**
 * Reads the body of an HTTP/1.1 response (RFC 9112 §6 and §7) as it arrives.
 *
 * @module
 */
import type { Bytes } from "../body.ts";
import { incomplete, misframed } from "../failures.ts";
import { ChunkParser } from "./chunks.ts";
import type { TcpConnection } from "./connection.ts";
import type { Framing } from "./framing.ts";

/** Reads a body piece by piece. */
export interface BodyReader {
  /**
   * Returns the next piece, without a promise if it has arrived; `undefined` when the body has ended. A piece is valid
   * until the next is requested.
   *
   * @throws {ProxyError} `http_response_incomplete`; and what the connection throws.
   */
  next(): Bytes | undefined | Promise<Bytes | undefined>;
}

// As much as the system returns at a time; for bodies that do not fit into the connection's own memory.
const STREAM_BYTES = 65_536;

/**
 * Creates the reader of a body.
 *
 * @param method The request's method, which decides whether the request may be repeated after a failure.
 */
export function createBodyReader(
  connection: TcpConnection,
  framing: Framing,
  method: string,
): BodyReader {
  return framing === "chunked"
    ? new ChunkedReader(connection, method)
    : new PlainReader(connection, framing, method);
}

/** Reads a body that ends after a number of bytes, or with its connection. */
class PlainReader implements BodyReader {
  readonly #connection: TcpConnection;
  readonly #method: string;
  readonly #hasLength: boolean;
  #missing: number;

  constructor(connection: TcpConnection, length: number | "close", method: string) {
    this.#connection = connection;
    this.#method = method;
    this.#hasLength = length !== "close";
    this.#missing = length === "close" ? Infinity : length;
  }

  next(): Bytes | undefined | Promise<Bytes | undefined> {
    if (this.#missing === 0) return undefined;
    const { start, end } = this.#connection;
    return start < end ? this.#take() : this.#wait();
  }

  #take(): Bytes {
    const { start, end } = this.#connection;
    const stop = Math.min(end, start + this.#missing);
    this.#connection.start = stop;
    this.#missing -= stop - start;
    return view(this.#connection, start, stop);
  }

  async #wait(): Promise<Bytes | undefined> {
    const connection = this.#connection;
    if (this.#missing > connection.memory.length) connection.reserve(STREAM_BYTES);
    if (await connection.fillUpTo(this.#missing)) return this.#take();
    if (this.#hasLength) throw incomplete({ method: this.#method });
    return undefined;
  }
}

class ChunkedReader implements BodyReader {
  readonly #connection: TcpConnection;
  readonly #method: string;
  readonly #parser = new ChunkParser();

  constructor(connection: TcpConnection, method: string) {
    this.#connection = connection;
    this.#method = method;
  }

  next(): Bytes | undefined | Promise<Bytes | undefined> {
    return this.#advance() ? this.#take() : this.#wait();
  }

  /** Parses up to the next data or the end of the body; returns `false` if that has not arrived. */
  #advance(): boolean {
    const { memory, start, end } = this.#connection;
    this.#connection.start = this.#parser.advance(memory, start, end);
    return this.#parser.hasEnded || this.#connection.start < end;
  }

  /** Returns the data of all chunks that have arrived as one piece, since a chunk may be as small as a byte. */
  #take(): Bytes | undefined {
    const connection = this.#connection;
    const parser = this.#parser;
    const { memory, start: from, end } = connection;
    let until = from;
    while (parser.missing > 0 && connection.start < end) {
      const { start } = connection;
      const stop = Math.min(end, start + parser.missing);
      if (until < start) memory.copyWithin(until, start, stop);
      until += stop - start;
      parser.take(stop - start);
      connection.start = parser.advance(memory, stop, end);
    }
    if (until > from) return view(connection, from, until); // if the rest is broken, the next call throws
    if (parser.isBroken) throw misframed(parser.problem, { method: this.#method });
    return undefined;
  }

  async #wait(): Promise<Bytes | undefined> {
    const connection = this.#connection;
    do {
      const { memory, end } = connection;
      // A body that has filled the memory is likely to be long.
      const isLong = this.#parser.missing > memory.length || end === memory.length;
      if (isLong) connection.reserve(STREAM_BYTES);
      if (!await connection.fillUpTo(this.#parser.missing)) {
        throw incomplete({ method: this.#method });
      }
    } while (!this.#advance());
    return this.#take();
  }
}

/** Returns a view that is no `Buffer`, whose `slice` would not copy. */
function view({ memory }: TcpConnection, start: number, end: number): Bytes {
  return new Uint8Array(memory.buffer, memory.byteOffset + start, end - start);
}

/**
 * The body of an HTTP/1.1 response whose head has arrived, and what becomes of its connection.
 *
 * @module
 */
import { ProxyError } from "../../protocol/mod.ts";
import type { Turns } from "../../turns/turns.ts";
import { type Body, ByteLimit, type Bytes, collectChunks } from "../body.ts";
import { incomplete, tooLarge } from "../failures.ts";
import type { KeptBytes } from "../kept_bytes.ts";
import { takeTurn } from "../grown_bytes.ts";
import { createBodyReader } from "./body.ts";
import type { TcpConnection } from "./connection.ts";
import type { BodyFraming, Framing } from "./framing.ts";
import { decodeTransfer } from "./transfer_coding.ts";

/** The exchange that a response belongs to. */
export interface ResponseSource {
  readonly connection: TcpConnection;
  /** The request's method. */
  readonly method: string;
  /** The request's signal. */
  readonly signal: AbortSignal;
  /** When a body is collected, and its transfer codings are decoded. */
  readonly turns: Turns;
  /** Called once, when nothing more is read, with whether the connection is ready for another response. */
  readonly ended: (isReusable: boolean) => void;
}

// It costs a millisecond at most to read as much, first use of the memory included.
const MAX_READ_BYTES = 131_072;

// RFC 9112 §6.3: these have no body, whatever their fields say.
const NO_BODY_STATUS: ReadonlySet<number> = new Set([204, 304]);

/** Returns how the body of a response is framed (RFC 9112 §6.3). */
export function framingOf(
  method: string,
  { status, framing }: { readonly status: number; readonly framing: Framing },
): Framing {
  return method === "HEAD" || NO_BODY_STATUS.has(status) ? 0 : framing;
}

/**
 * Creates the body of a response, without its transfer codings.
 *
 * @throws {ProxyError} `http_protocol_error` when the body has a transfer coding that is not supported.
 */
export function createHttp1Body(
  { status, framing, codings }: BodyFraming & { readonly status: number },
  source: ResponseSource,
): Body {
  const body = new Http1Body(framingOf(source.method, { status, framing }), source);
  const isPlain = codings[0] === undefined || codings[0] === "chunked"; // the body itself removes chunks
  return isPlain || body.length === 0 ? body : decodeTransfer(body, codings, source.turns);
}

/** The body of a response, on its connection. */
export class Http1Body implements Body {
  readonly length: number | undefined;
  readonly isHere: boolean;
  readonly #source: ResponseSource;
  readonly #framing: Framing;
  #hasEnded = false;
  #isReading = false;

  constructor(framing: Framing, source: ResponseSource) {
    const { connection } = source;
    this.#source = source;
    this.#framing = framing;
    this.length = typeof framing === "number" ? framing : undefined;
    this.isHere = this.length !== undefined && connection.end - connection.start >= this.length;
    if (framing === 0) this.#end(true);
  }

  bytes(maxBytes: number, kept?: KeptBytes): Bytes | Promise<Bytes> {
    if (this.#hasEnded) return new Uint8Array(); // there is no body, or it was discarded
    const { length } = this;
    const { connection } = this.#source;
    if (length === undefined) {
      const { turns } = this.#source;
      return collectChunks(this.chunks(maxBytes), maxBytes, { kept, turns });
    }
    if (length > maxBytes) throw this.#fail(tooLarge(maxBytes));
    const { memory, start, end } = connection;
    if (end - start < length) return this.#readLong(length, kept);
    connection.start = start + length;
    const bytes = new Uint8Array(memory.subarray(start, start + length));
    this.#end(true);
    return bytes;
  }

  async *chunks(maxBytes: number): AsyncGenerator<Bytes> {
    if (this.#hasEnded) return; // there is no body, or it was discarded
    this.#isReading = true;
    const { connection, method } = this.#source;
    const reader = createBodyReader(connection, this.#framing, method);
    const limit = new ByteLimit(maxBytes);
    try {
      if (this.length !== undefined && this.length > maxBytes) throw tooLarge(maxBytes);
      for (;;) {
        const next = reader.next();
        const piece = next instanceof Promise ? await next : next;
        if (piece === undefined) break;
        limit.add(piece.byteLength);
        yield piece;
      }
      this.#end(true);
    } catch (thrown) {
      throw this.#fail(thrown);
    } finally {
      this.#end(false);
    }
  }

  discard(): void {
    if (this.#hasEnded) return;
    const { connection } = this.#source;
    const { start, end } = connection;
    const isWhole = !this.#isReading && end - start === this.length;
    if (isWhole) connection.start = end;
    this.#end(isWhole);
  }

  /** Keeps no connection with bytes after the body: they must not be taken for the response to the next request. */
  #end(isWhole: boolean): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { connection, ended } = this.#source;
    const hasMore = connection.start < connection.end;
    if (isWhole && hasMore) connection.keeper?.sentUnasked();
    ended(isWhole && this.#framing !== "close" && !hasMore);
  }

  #fail(thrown: unknown): unknown {
    this.#end(false);
    const { signal, method } = this.#source;
    if (signal.aborted) return signal.reason;
    return thrown instanceof ProxyError ? thrown : incomplete({ method, cause: thrown });
  }

  /** Reads a body of known length of which a part has arrived. */
  async #readLong(length: number, kept: KeptBytes | undefined): Promise<Bytes> {
    const { connection, method, turns } = this.#source;
    let received = 0;
    let bytes: Bytes;
    try {
      const waiting = kept?.take(length);
      if (waiting !== undefined) await waiting;
      bytes = new Uint8Array(length + 1); // one more, to notice a byte after the body
      const { memory, start, end } = connection;
      bytes.set(memory.subarray(start, end));
      connection.start = end;
      received = end - start;
      while (received < length) {
        const read = await connection.read(bytes.subarray(received, received + MAX_READ_BYTES));
        if (read === 0) throw incomplete({ method });
        received += read;
        const turn = takeTurn(read, turns);
        if (turn !== undefined) await turn;
      }
    } catch (thrown) {
      throw this.#fail(thrown);
    }
    if (received > length) connection.keeper?.sentUnasked();
    this.#end(received === length);
    return bytes.subarray(0, length);
  }
}

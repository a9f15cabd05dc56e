/**
 * The body of a response whose head has arrived, whole or in pieces, and what becomes of its connection.
 *
 * @module
 */
import { ProxyError } from "../../protocol/mod.ts";
import { type Body, ByteLimit, type Bytes } from "../body.ts";
import { incomplete, tooLarge } from "../failures.ts";
import { createBodyReader } from "./body.ts";
import type { TcpConnection } from "./connection.ts";
import type { Framing } from "./response_head.ts";

/** What a response arrives on. */
export interface ResponseSource {
  readonly connection: TcpConnection;
  /** The request's. */
  readonly method: string;
  readonly signal: AbortSignal;
  /** Called once, when nothing more is to be read, with whether another response could follow. */
  readonly ended: (isReusable: boolean) => void;
}

// RFC 9112 §6.3: what has no body whatever its fields say.
const NO_BODY_STATUS: ReadonlySet<number> = new Set([204, 304]);

/** Returns where the body of a response really ends (RFC 9112 §6.3). */
export function framingOf(
  method: string,
  { status, framing }: { readonly status: number; readonly framing: Framing },
): Framing {
  return method === "HEAD" || NO_BODY_STATUS.has(status) ? 0 : framing;
}

/** A body on its connection. A class: every response has one. */
export class Http1Body implements Body {
  readonly length: number | undefined;
  readonly isHere: boolean;
  readonly #source: ResponseSource;
  readonly #framing: Framing;
  #hasEnded = false;
  #isBegun = false;

  constructor(framing: Framing, source: ResponseSource) {
    const { connection } = source;
    this.#source = source;
    this.#framing = framing;
    this.length = typeof framing === "number" ? framing : undefined;
    this.isHere = this.length !== undefined && connection.end - connection.start >= this.length;
    if (framing === 0) this.#end(true);
  }

  bytes(maxBytes: number): Bytes | Promise<Bytes> {
    const { length } = this;
    const { connection } = this.#source;
    if (length === undefined) return this.#readCounted(maxBytes);
    if (length === 0) return new Uint8Array();
    if (length > maxBytes) throw this.#fail(tooLarge(maxBytes));
    const { memory, start, end } = connection;
    if (end - start < length) return this.#readLong(length);
    connection.start = start + length;
    const bytes = new Uint8Array(memory.subarray(start, start + length));
    this.#end(true);
    return bytes;
  }

  async *chunks(maxBytes: number): AsyncGenerator<Bytes> {
    if (this.#hasEnded) return; // there is none, or it was discarded
    this.#isBegun = true;
    const { connection, method } = this.#source;
    const reader = createBodyReader(connection, this.#framing, method);
    const limit = new ByteLimit(maxBytes);
    try {
      if (this.length !== undefined && this.length > maxBytes) throw tooLarge(maxBytes);
      for (;;) {
        const next = reader.next();
        const piece = next instanceof Promise ? await next : next;
        if (piece === undefined) break;
        limit.take(piece.byteLength);
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
    const isHere = !this.#isBegun && end - start === this.length;
    if (isHere) connection.start = end;
    this.#end(isHere);
  }

  /** Bytes after the body answer no request, and must not be taken for the response to the next. */
  #end(isWhole: boolean): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { connection, ended } = this.#source;
    ended(isWhole && this.#framing !== "close" && connection.start === connection.end);
  }

  #fail(thrown: unknown): unknown {
    this.#end(false);
    const { signal, method } = this.#source;
    if (signal.aborted) return signal.reason;
    return thrown instanceof ProxyError ? thrown : incomplete(method, thrown);
  }

  /** Reads a body of known length, of which some has arrived. */
  async #readLong(length: number): Promise<Bytes> {
    const { connection, method } = this.#source;
    const bytes = new Uint8Array(length + 1); // a byte after the body would be seen
    const { memory, start, end } = connection;
    bytes.set(memory.subarray(start, end));
    connection.start = end;
    let at = end - start;
    try {
      while (at < length) {
        const read = await connection.read(bytes.subarray(at));
        if (read === 0) throw incomplete(method);
        at += read;
      }
    } catch (thrown) {
      throw this.#fail(thrown);
    }
    this.#end(at === length);
    return bytes.subarray(0, length);
  }

  /** Reads a body of unknown length, which may arrive a byte at a time. */
  async #readCounted(maxBytes: number): Promise<Bytes> {
    const { connection, method } = this.#source;
    const reader = createBodyReader(connection, this.#framing, method);
    const limit = new ByteLimit(maxBytes);
    let bytes = new Uint8Array();
    let received = 0;
    try {
      for (;;) {
        const next = reader.next();
        const piece = next instanceof Promise ? await next : next;
        if (piece === undefined) break;
        limit.take(piece.byteLength);
        const needed = received + piece.byteLength;
        if (needed > bytes.length) bytes = grow(bytes, { received, needed, maxBytes });
        bytes.set(piece, received);
        received = needed;
      }
    } catch (thrown) {
      throw this.#fail(thrown);
    }
    this.#end(true);
    return received === bytes.length ? bytes : bytes.subarray(0, received);
  }
}

/** Doubles memory, so that a long body is not copied with every piece of it. */
function grow(
  bytes: Bytes,
  { received, needed, maxBytes }: Readonly<Record<"received" | "needed" | "maxBytes", number>>,
): Bytes {
  const grown = new Uint8Array(Math.max(needed, Math.min(2 * received, maxBytes)));
  grown.set(bytes.subarray(0, received));
  return grown;
}

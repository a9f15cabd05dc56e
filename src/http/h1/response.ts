/**
 * A response whose head has come: its body, whole or in pieces, and what becomes of the connection.
 *
 * @module
 */
import type { TransportResponse } from "../transport.ts";
import { ProxyError } from "../../protocol/mod.ts";
import { createBodyReader, incomplete } from "./body.ts";
import type { Connection } from "./connection.ts";
import type { Framing, ResponseHead } from "./response_head.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Where a response comes from. */
export interface ResponseContext {
  readonly connection: Connection;
  /** The request's. */
  readonly method: string;
  readonly signal: AbortSignal;
}

/** RFC 9112 §6.3: what has no body whatever its fields say. */
const NO_BODY_STATUS: ReadonlySet<number> = new Set([204, 304]);

/**
 * Creates the response of a head.
 *
 * @param ended Called once, when nothing more is to be read; whether another response could follow.
 */
export function createResponse(
  { connection, method, signal }: ResponseContext,
  head: ResponseHead,
  ended: (isReusable: boolean) => void,
): TransportResponse {
  const { status, statusText, headers } = head;
  const framing: Framing = method === "HEAD" || NO_BODY_STATUS.has(status) ? 0 : head.framing;
  const length = typeof framing === "number" ? framing : undefined;
  let hasEnded = false;
  let isBegun = false;

  /** Bytes behind the body answer no request, and must not be taken for an answer of the next. */
  function end(isWhole: boolean): void {
    if (hasEnded) return;
    hasEnded = true;
    ended(isWhole && framing !== "close" && connection.start === connection.end);
  }

  function fail(thrown: unknown): unknown {
    end(false);
    if (signal.aborted) return signal.reason;
    return thrown instanceof ProxyError ? thrown : incomplete(method, thrown);
  }

  /** A body of known length, of which some has come. */
  async function readLong(length: number): Promise<Bytes> {
    const bytes = new Uint8Array(length + 1); // a byte behind the body would be seen
    const { memory, start, end: came } = connection;
    bytes.set(memory.subarray(start, came));
    connection.start = came;
    let at = came - start;
    try {
      while (at < length) {
        const read = await connection.read(bytes.subarray(at));
        if (read === 0) throw incomplete(method);
        at += read;
      }
    } catch (thrown) {
      throw fail(thrown);
    }
    end(at === length);
    return bytes.subarray(0, length);
  }

  /** A body of unknown length, which may come a byte at a time. */
  async function readCounted(maxBytes: number): Promise<Bytes> {
    const reader = createBodyReader(connection, framing, method);
    let bytes = new Uint8Array();
    let received = 0;
    try {
      for (;;) {
        const next = reader.next();
        const piece = next instanceof Promise ? await next : next;
        if (piece === undefined) break;
        const needed = received + piece.byteLength;
        if (needed > maxBytes) throw tooLarge(maxBytes);
        if (needed > bytes.length) bytes = grow(bytes, { received, needed, maxBytes });
        bytes.set(piece, received);
        received = needed;
      }
    } catch (thrown) {
      throw fail(thrown);
    }
    end(true);
    return received === bytes.length ? bytes : bytes.subarray(0, received);
  }

  async function* read(maxBytes: number): AsyncGenerator<Bytes> {
    if (hasEnded) return; // there is none, or it was discarded
    isBegun = true;
    const reader = createBodyReader(connection, framing, method);
    try {
      if (length !== undefined && length > maxBytes) throw tooLarge(maxBytes);
      let received = 0;
      for (;;) {
        const next = reader.next();
        const piece = next instanceof Promise ? await next : next;
        if (piece === undefined) break;
        received += piece.byteLength;
        if (received > maxBytes) throw tooLarge(maxBytes);
        yield piece;
      }
      end(true);
    } catch (thrown) {
      throw fail(thrown);
    } finally {
      end(false);
    }
  }

  if (framing === 0) end(true);
  return {
    status,
    statusText,
    headers,
    decoded: false,
    length,
    isHere: length !== undefined && connection.end - connection.start >= length,
    bytes(maxBytes: number): Bytes | Promise<Bytes> {
      if (length === undefined) return readCounted(maxBytes);
      if (length === 0) return new Uint8Array();
      if (length > maxBytes) throw fail(tooLarge(maxBytes));
      const { memory, start, end: came } = connection;
      if (came - start < length) return readLong(length);
      connection.start = start + length;
      const bytes = new Uint8Array(memory.subarray(start, start + length));
      end(true);
      return bytes;
    },
    chunks: read,
    discard(): void {
      if (hasEnded) return;
      const { start, end: came } = connection;
      const isHere = !isBegun && came - start === length;
      if (isHere) connection.start = came;
      end(isHere);
    },
  };
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

function tooLarge(maxBytes: number): ProxyError {
  return new ProxyError(
    "http_response_body_size",
    `The response body is larger than ${maxBytes} bytes`,
  );
}

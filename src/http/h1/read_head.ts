/**
 * Reads the head of a response from a connection, past the interim responses in front of it.
 *
 * @module
 */
import { ProxyError } from "../../protocol/mod.ts";
import type { Connection } from "./connection.ts";
import {
  createParseHead,
  findHeadEnd,
  isHeadPossible,
  MAX_HEAD_BYTES,
  notHttp,
  type ResponseHead,
} from "./response_head.ts";

/**
 * Gives the head of the response to a request, as soon as it has come.
 *
 * @param method The request's method, which decides whether it may be sent again.
 * @throws {ProxyError} `http_protocol_error`, `connection_terminated`; and what the connection throws.
 */
export type ReadHead = (connection: Connection, method: string) => Promise<ResponseHead>;

const SWITCHING_PROTOCOLS = 101;

/** Creates a {@linkcode ReadHead}. */
export function createReadHead(): ReadHead {
  const parseHead = createParseHead();

  return async function readHead(connection, method): Promise<ResponseHead> {
    let scanned = 0; // bytes behind `start` in which no end begins
    let interimBytes = 0;
    for (;;) {
      const { memory, start, end } = connection;
      const headEnd = findHeadEnd(memory, start + scanned, end);
      if (headEnd < 0) {
        if (end - start > MAX_HEAD_BYTES || !isHeadPossible(memory, start, end)) throw notHttp();
        scanned = Math.max(0, end - start - 2); // an end may lie across two reads
        if (!await connection.fill()) throw terminated(method);
        continue;
      }
      const head = parseHead(memory, start, headEnd);
      connection.start = headEnd;
      if (head.status === SWITCHING_PROTOCOLS) throw switched();
      if (head.status >= 200) return head;
      // Interim responses are not for the client (RFC 9110 §15.2). There may be several, but not for ever.
      interimBytes += headEnd - start;
      if (interimBytes > MAX_HEAD_BYTES) throw notHttp();
      scanned = 0;
    }
  };
}

/** Says that a connection has ended before the head of the response. */
export function terminated(method: string, cause?: unknown): ProxyError {
  return new ProxyError(
    "connection_terminated",
    "The destination closed the connection before it answered",
    { method, cause },
  );
}

function switched(): ProxyError {
  return new ProxyError(
    "http_protocol_error",
    "The destination switched protocols without being asked to",
  );
}

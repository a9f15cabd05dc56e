/**
 * Reads the head of a response, skipping interim responses and empty lines.
 *
 * @module
 */
import { headTooLarge, notHttp, speaksTls, switchedProtocols, terminated } from "../failures.ts";
import type { TcpConnection } from "./connection.ts";
import {
  createParseHead,
  findHeadEnd,
  type Http1Head,
  isHeadPossible,
  MAX_HEAD_BYTES,
  skipEmptyLines,
} from "./response_head.ts";

/**
 * Returns the head of the response to a request as soon as it has arrived.
 *
 * @param method The request's method, which decides whether the request may be repeated after a failure.
 * @throws {ProxyError} `http_protocol_error`, `connection_terminated`; and what the connection throws.
 */
export type ReadHead = (connection: TcpConnection, method: string) => Promise<Http1Head>;

const SWITCHING_PROTOCOLS = 101;
// The type of a record with an alert (RFC 8446 §5.1): how TLS servers respond to plain HTTP.
const TLS_ALERT = 0x15;

/** Creates a {@linkcode ReadHead}. */
export function createReadHead(): ReadHead {
  const parseHead = createParseHead();

  return async function readHead(connection, method): Promise<Http1Head> {
    let scanned = 0; // bytes after `start` that cannot begin the end of the head
    let skipped = 0; // bytes before the response
    for (;;) {
      if (scanned === 0) {
        const from = skipEmptyLines(connection.memory, connection.start, connection.end);
        skipped += from - connection.start;
        connection.start = from;
      }
      // Both may be long, but not without end.
      if (skipped > MAX_HEAD_BYTES) {
        throw headTooLarge(`${MAX_HEAD_BYTES} bytes of interim responses and empty lines`);
      }
      const { memory, start, end } = connection;
      const headEnd = findHeadEnd(memory, start + scanned, end);
      if (headEnd < 0) {
        if (!isHeadPossible(memory, start, end)) {
          throw memory[start] === TLS_ALERT ? speaksTls() : notHttp();
        }
        if (end - start > MAX_HEAD_BYTES) throw headTooLarge(`${MAX_HEAD_BYTES} bytes in its head`);
        scanned = Math.max(0, end - start - 2); // the end of the head may be cut
        if (!await connection.fill()) throw terminated({ method });
        continue;
      }
      const head = parseHead(memory, start, headEnd);
      connection.start = headEnd;
      if (head.status === SWITCHING_PROTOCOLS) throw switchedProtocols();
      if (head.status >= 200) return head;
      skipped += headEnd - start; // clients do not get interim responses (RFC 9110 §15.2)
      scanned = 0;
    }
  };
}

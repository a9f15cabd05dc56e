/**
 * A WebSocket client made of bytes, for what a well-behaved one never does.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { endsWith } from "@std/bytes/ends-with";
import { latin1 } from "./upstream.ts";

/** The headers of a right handshake (RFC 6455 §1.2). */
export const HANDSHAKE = {
  host: "127.0.0.1",
  upgrade: "websocket",
  connection: "Upgrade",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** A TCP connection that has (or has not) become a WebSocket. */
export interface RawClient extends Disposable {
  /** The response to the handshake, head and what came with it. */
  readonly answer: string;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Reads until the connection has ended, or what has come ends with `ending`; gives what has come. */
  readToEnd(ending?: Uint8Array): Promise<Uint8Array>;
}

/** Sends a handshake; headers that are `undefined` are left out. */
export async function connectRaw(
  port: number,
  headers: Record<string, string | undefined> = {},
  requestLine = "GET /ws HTTP/1.1",
): Promise<RawClient> {
  const connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  const fields = Object.entries({ ...HANDSHAKE, ...headers })
    .flatMap(([name, value]) => value === undefined ? [] : [`${name}: ${value}\r\n`]);
  await connection.write(latin1(`${requestLine}\r\n${fields.join("")}\r\n`));
  const buffer = new Uint8Array(65536);
  let answer = "";
  while (!answer.includes("\r\n\r\n")) {
    const length = await connection.read(buffer);
    if (length === null) break;
    answer += new TextDecoder("latin1").decode(buffer.subarray(0, length));
  }
  return {
    answer,
    async write(bytes): Promise<void> {
      let rest = bytes;
      while (rest.length > 0) rest = rest.subarray(await connection.write(rest));
    },
    async readToEnd(ending): Promise<Uint8Array> {
      const chunks: Uint8Array[] = [];
      try {
        for (;;) {
          const length = await connection.read(buffer);
          if (length === null) break;
          chunks.push(buffer.slice(0, length));
          if (ending !== undefined && endsWith(concat(chunks.slice(-2)), ending)) break;
        }
      } catch {
        // a reset is an end too
      }
      return concat(chunks);
    },
    [Symbol.dispose](): void {
      try {
        connection.close();
      } catch {
        // it was closed before
      }
    },
  };
}

/** A masked frame with a zero key (RFC 6455 §5.2). `first`: FIN, the reserved bits and the opcode. */
export function rawFrame(first: number, payload: Uint8Array | string): Uint8Array<ArrayBuffer> {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const { length } = bytes;
  const size = length < 126
    ? [length]
    : length < 65536
    ? [126, length >> 8, length & 255]
    : [127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  const [short = 0, ...long] = size;
  const head = [first, 0x80 | short, ...long, 0, 0, 0, 0];
  const frame = new Uint8Array(head.length + length);
  frame.set(head);
  frame.set(bytes, head.length);
  return frame;
}

/** The first byte of a whole text frame. */
export const TEXT = 0x81;

/** The server's close frame with this code and reason. */
export function closeFrame(code: number, reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason);
  return concat([new Uint8Array([0x88, text.length + 2, code >> 8, code & 255]), text]);
}

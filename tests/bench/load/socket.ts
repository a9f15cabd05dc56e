/**
 * TCP connections to a server under load, as WebSockets or for HTTP.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import type { Dialect } from "./job.ts";

const HANDSHAKE_END = "\r\n\r\n";
const HANDSHAKE_BYTES = 16_384;

/** A connection that is ready for requests. */
export interface Socket extends Disposable {
  /** What came behind the handshake. */
  readonly rest: Uint8Array<ArrayBuffer>;
  /** Gives how many bytes have come into the buffer; `null` at the end. */
  read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null>;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** Connects, and shakes hands unless the dialect is HTTP. */
export async function openSocket(
  { port, dialect }: { readonly port: number; readonly dialect: Dialect },
): Promise<Socket> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);

  async function write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    let at = 0;
    while (at < bytes.length) at += await connection.write(bytes.subarray(at));
  }

  const rest = dialect === "http"
    ? new Uint8Array()
    : await shakeHands({ read: (buffer) => connection.read(buffer), write }, port, dialect);
  return {
    rest,
    read: (buffer) => connection.read(buffer),
    write,
    [Symbol.dispose]: () => connection.close(),
  };
}

async function shakeHands(
  { read, write }: Pick<Socket, "read" | "write">,
  port: number,
  dialect: Dialect,
): Promise<Uint8Array<ArrayBuffer>> {
  const isV1 = dialect === "v1" || dialect === "v1-streamed";
  const lines = [
    "GET /ws HTTP/1.1",
    `host: 127.0.0.1:${port}`,
    "upgrade: websocket",
    "connection: Upgrade",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", // of RFC 6455 §1.2
    ...(isV1 ? ["sec-websocket-protocol: wsfetch.v1"] : []),
  ];
  await write(new TextEncoder().encode(lines.join("\r\n") + HANDSHAKE_END));
  let bytes = new Uint8Array();
  for (;;) {
    const buffer = new Uint8Array(HANDSHAKE_BYTES);
    const length = await read(buffer);
    if (length === null) throw new Error("The server ended the connection instead of a handshake");
    bytes = concat([bytes, buffer.subarray(0, length)]);
    const text = new TextDecoder("latin1").decode(bytes);
    const end = text.indexOf(HANDSHAKE_END);
    if (end < 0) continue;
    if (!text.startsWith("HTTP/1.1 101 ")) {
      throw new Error(`The server refused the handshake: ${text.slice(0, text.indexOf("\r\n"))}`);
    }
    return bytes.slice(end + HANDSHAKE_END.length);
  }
}

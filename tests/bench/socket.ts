/**
 * A client for benchmarks: WebSocket frames over TCP without Nagle's algorithm. Deno's own WebSocket has
 * it, and a frame that waits for the acknowledgement of another would be measured 40 ms too long.
 *
 * @module
 */
import { HANDSHAKE, rawFrame, TEXT } from "../helpers/raw_client.ts";
import { latin1 } from "../helpers/upstream.ts";

/** A connection in wsfetch.v1. */
export interface BenchSocket extends Disposable {
  /** Sends texts, each as a frame, in one write. */
  send(texts: readonly string[]): Promise<void>;
}

/** Connects with a bearer token; `take` gets the text of every frame, `hello` first. */
export async function connectBench(
  port: number,
  token: string,
  take: (text: string) => void,
): Promise<BenchSocket> {
  const connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  connection.setNoDelay(true);
  const fields = Object.entries({
    ...HANDSHAKE,
    authorization: `Bearer ${token}`,
    "sec-websocket-protocol": "wsfetch.v1",
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  await connection.write(latin1(`GET /ws HTTP/1.1\r\n${fields.join("")}\r\n`));
  const upgraded = Promise.withResolvers<void>();
  read(connection, { upgraded, take }).catch(upgraded.reject);
  await upgraded.promise;
  return {
    async send(texts): Promise<void> {
      const frames = texts.map((text) => rawFrame(TEXT, text));
      let rest = concat(frames);
      while (rest.length > 0) rest = rest.subarray(await connection.write(rest));
    },
    [Symbol.dispose]: () => connection.close(),
  };
}

interface Reader {
  readonly upgraded: PromiseWithResolvers<void>;
  readonly take: (text: string) => void;
}

async function read(connection: Deno.Conn, { upgraded, take }: Reader): Promise<void> {
  const buffer = new Uint8Array(65_536);
  const decoder = new TextDecoder();
  let rest = new Uint8Array();
  let isUpgraded = false;
  for (;;) {
    const length = await connection.read(buffer).catch(() => null);
    if (length === null) return upgraded.reject(new Error("The connection has ended"));
    rest = concat([rest, buffer.subarray(0, length)]);
    if (!isUpgraded) {
      const head = new TextDecoder("latin1").decode(rest);
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) continue;
      if (!head.startsWith("HTTP/1.1 101 ")) return upgraded.reject(new Error(head));
      rest = rest.subarray(end + 4);
      isUpgraded = true;
      upgraded.resolve();
    }
    for (;;) {
      const frame = toFrame(rest);
      if (frame === undefined || rest.length < frame.end) break;
      take(decoder.decode(rest.subarray(frame.begin, frame.end)));
      rest = rest.subarray(frame.end);
    }
  }
}

/** Where the payload of a server's frame begins and ends (RFC 6455 §5.2). */
function toFrame(bytes: Uint8Array): { readonly begin: number; readonly end: number } | undefined {
  if (bytes.length < 10) return bytes.length < 2 ? undefined : toShortFrame(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = view.getUint8(1);
  if (length < 126) return { begin: 2, end: 2 + length };
  if (length === 126) return { begin: 4, end: 4 + view.getUint16(2) };
  return { begin: 10, end: 10 + Number(view.getBigUint64(2)) };
}

function toShortFrame([, length = 126]: Uint8Array): ReturnType<typeof toFrame> {
  return length < 126 ? { begin: 2, end: 2 + length } : undefined;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * A WebSocket client over TCP that reads as fast, as slowly or as little as it is told to, and never answers a ping or
 * a Close.
 *
 * @module
 */
import { HANDSHAKE } from "../helpers/raw_client.ts";
import { latin1 } from "../helpers/upstream.ts";
import { CLOSE, createFrameReader, type Message } from "../bench/load/frames.ts";
import { pause } from "../bench/role.ts";
import type { Bytes } from "./frames.ts";

const HANDSHAKE_END = "\r\n\r\n";
const READ_BYTES = 65_536;
const SLOW_READS_PER_SECOND = 20;

/** How a client connects and reads. */
export interface PeerOptions {
  readonly port: number;
  readonly token?: string | undefined;
  /** Default: wsfetch.v1. */
  readonly dialect?: "v1" | "plain";
  /** Bytes that are read in a second. Default: all that arrive. */
  readonly bytesPerSecond?: number;
  readonly onMessage?: (message: Message, socket: PeerSocket) => void;
  /** How much of each message is kept. Default: 256 bytes. */
  readonly keptBytes?: number;
}

/** A WebSocket. */
export interface PeerSocket extends Disposable {
  /** Writes bytes; rejects when the connection is closed. */
  write(bytes: Bytes): Promise<void>;
  /** Fulfils with the code of the Close frame, or with 1006 when TCP ends without one. */
  readonly ended: Promise<number>;
}

/** A handshake that got another status than 101; 0: TCP ended instead. */
export class HandshakeError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`The handshake was refused with ${status}`);
    this.status = status;
  }
}

/** Returns the bytes of a handshake. */
export function handshakeBytes({ token, dialect = "v1" }: Omit<PeerOptions, "port">): Bytes {
  const fields = Object.entries({
    ...HANDSHAKE,
    ...(dialect === "v1" && { "sec-websocket-protocol": "wsfetch.v1" }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return latin1(`GET /ws HTTP/1.1\r\n${fields.join("")}\r\n`);
}

/**
 * Connects and shakes hands.
 *
 * @throws {HandshakeError} The service refused.
 */
export async function connectPeer(options: PeerOptions): Promise<PeerSocket> {
  const { port, bytesPerSecond = Infinity, onMessage = () => {}, keptBytes = 256 } = options;
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  const ended = Promise.withResolvers<number>();

  let writing = Promise.resolve();

  async function writeAll(bytes: Bytes): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  }

  /** Frames that are written at once follow one another, whole. */
  function write(bytes: Bytes): Promise<void> {
    const written = writing.then(() => writeAll(bytes));
    writing = written.catch(() => {});
    return written;
  }

  const socket = { write, ended: ended.promise, [Symbol.dispose]: close };
  const take = createFrameReader((message) => {
    if (message.opcode === CLOSE) {
      const [high = 0x03, low = 0xee] = message.head;
      ended.resolve(high << 8 | low);
    }
    onMessage(message, socket);
  }, keptBytes);

  async function read(): Promise<void> {
    const isSlow = Number.isFinite(bytesPerSecond);
    if (bytesPerSecond === 0) return;
    const buffer = new Uint8Array(
      isSlow ? Math.ceil(bytesPerSecond / SLOW_READS_PER_SECOND) : READ_BYTES,
    );
    for (;;) {
      const length = await connection.read(buffer).catch(() => null);
      if (length === null) break;
      take(buffer.subarray(0, length));
      if (isSlow) await pause(1000 / SLOW_READS_PER_SECOND);
    }
    ended.resolve(1006);
  }

  function close(): void {
    try {
      connection.close();
    } catch {
      // it was closed before
    }
  }

  try {
    await write(handshakeBytes(options));
    take(await readHandshake(connection));
  } catch (error) {
    close();
    throw error;
  }
  read();
  return socket;
}

/** Reads the response to a handshake; returns what came with it. */
async function readHandshake(connection: Deno.Conn): Promise<Uint8Array> {
  const buffer = new Uint8Array(READ_BYTES);
  let text = "";
  while (!text.includes(HANDSHAKE_END)) {
    const length = await connection.read(buffer);
    if (length === null) throw new HandshakeError(0);
    text += new TextDecoder("latin1").decode(buffer.subarray(0, length));
  }
  const status = Number(text.slice("HTTP/1.1 ".length, "HTTP/1.1 ".length + 3));
  if (status !== 101) throw new HandshakeError(status);
  return latin1(text.slice(text.indexOf(HANDSHAKE_END) + HANDSHAKE_END.length));
}

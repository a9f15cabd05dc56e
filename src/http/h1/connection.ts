/**
 * One TCP connection to a server: bytes out, and the bytes that came until they are taken.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** A connection. What it reads into is reused: a view of it is good until the next call of `fill`. */
export interface TcpConnection {
  /** The bytes from `start` to `end` have come and were not taken. */
  readonly memory: Buffer<ArrayBuffer>;
  /** Moved on by whoever takes bytes. */
  start: number;
  readonly end: number;
  /** It has rested, and no byte has come since. */
  readonly isStale: boolean;
  /** When the server is expected to close it, by `performance.now()`. */
  expiresAt: number;
  /** Waits for more bytes; `false`: the server sends no more. Rejects when the connection breaks. */
  fill(): Promise<boolean>;
  /** Reads right into other memory, when nothing waits to be taken; 0: the server sends no more. */
  read(memory: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Makes room for so many bytes in front of the next `fill`; what has come stays. */
  reserve(bytes: number): void;
  /** Something is being written. */
  readonly isWriting: boolean;
  /** Writes all of the bytes, which must stay as they are meanwhile. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Writes text of one byte a character, and bytes behind it, in one piece where they are short. */
  writeHead(text: string, body: Uint8Array<ArrayBuffer> | null): Promise<void>;
  /** Lets it rest until `wake`; calls back when it is of no use any more. */
  rest(ended: () => void): void;
  wake(): void;
  /** Ends both directions at once. A stable function, so that it can be a listener. */
  readonly close: () => void;
  readonly isClosed: boolean;
}

/** The part of a TCP connection that is needed here. */
export type Tcp = Pick<Deno.TcpConn, "read" | "write" | "close">;

// What a connection holds while it rests: a response of an API fits.
const READ_BYTES = 16_384;
const WRITE_BYTES = 4096;
const encoder = new TextEncoder();

/** Creates a {@linkcode TcpConnection} on an open TCP connection. */
export function createTcpConnection(tcp: Tcp): TcpConnection {
  let memory = Buffer.allocUnsafeSlow(READ_BYTES);
  let start = 0;
  let end = 0;
  let closed = false;
  let resting = false;
  let isStale = false;
  let writes = 0; // one that fails is never through
  let pending: Promise<number | null> | undefined;
  let scratch: Buffer<ArrayBuffer> | undefined;

  function close(): void {
    if (closed) return;
    closed = true;
    tcp.close();
  }

  async function fill(): Promise<boolean> {
    if (pending === undefined) makeRoom(0);
    const length = await (pending ?? tcp.read(memory.subarray(end)));
    pending = undefined;
    if (length === null) return false;
    end += length;
    isStale = false;
    return true;
  }

  /** Moves what has come to the beginning, and takes more memory where that is not enough. */
  function makeRoom(bytes: number): void {
    if (start === end) start = end = 0;
    if (memory.length - end >= Math.max(bytes, 1)) return;
    const [came, needed] = [end - start, end - start + bytes];
    const target = needed < memory.length
      ? memory
      : Buffer.allocUnsafeSlow(Math.max(needed, memory.length * 2));
    memory.copy(target, 0, start, end);
    memory = target;
    start = 0;
    end = came;
  }

  async function write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    writes++;
    let written = await tcp.write(bytes);
    while (written < bytes.length) written += await tcp.write(bytes.subarray(written));
    writes--;
  }

  return {
    get memory(): Buffer<ArrayBuffer> {
      return memory;
    },
    get start(): number {
      return start;
    },
    set start(at: number) {
      start = at;
    },
    get end(): number {
      return end;
    },
    get isStale(): boolean {
      return isStale;
    },
    expiresAt: Infinity,
    fill,
    async read(target: Uint8Array<ArrayBuffer>): Promise<number> {
      return await tcp.read(target) ?? 0;
    },
    reserve(bytes: number): void {
      if (pending === undefined) makeRoom(bytes);
    },
    get isWriting(): boolean {
      return writes > 0;
    },
    write,
    async writeHead(text: string, body: Uint8Array<ArrayBuffer> | null): Promise<void> {
      const length = text.length + (body?.length ?? 0);
      if (length > WRITE_BYTES) {
        await write(Buffer.from(text, "latin1"));
        if (body !== null) await write(body);
        return;
      }
      scratch ??= Buffer.allocUnsafeSlow(WRITE_BYTES);
      // Of ASCII, UTF-8 is the same, and the encoder ten times as fast.
      const { read, written } = encoder.encodeInto(text, scratch);
      if (read !== text.length || written !== read) scratch.write(text, "latin1");
      if (body !== null) scratch.set(body, text.length);
      await write(scratch.subarray(0, length));
    },
    rest(ended: () => void): void {
      if (memory.length > READ_BYTES) memory = Buffer.allocUnsafeSlow(READ_BYTES);
      start = end = 0;
      resting = isStale = true;
      pending = tcp.read(memory);
      // What comes while nothing was asked for is the end, or no answer to anything.
      const stop = (): void => {
        if (resting) ended();
      };
      pending.then(stop, stop);
    },
    wake(): void {
      resting = false;
    },
    close,
    get isClosed(): boolean {
      return closed;
    },
  };
}

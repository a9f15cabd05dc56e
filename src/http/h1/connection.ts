/**
 * One TCP connection to a server, with a buffer for the bytes that have arrived.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Bytes } from "../body.ts";

/** The part of `Deno.TcpConn` that is used. */
export interface Tcp {
  read(memory: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

// What an idle connection keeps: the response of an API usually fits.
const READ_BYTES = 16_384;
const WRITE_BYTES = 4096;
const encoder = new TextEncoder();

/** An open connection. Its buffer is reused: a view of the buffer is valid until the next call of `fill`. */
export class TcpConnection {
  /** Where in `memory` the bytes begin that have not been taken. To be moved forward by the caller that takes them. */
  start = 0;
  /** When the server is expected to close the connection, by the client's clock. */
  expiresAt = Infinity;
  /** Ends both directions at once. Can be passed as a listener. */
  readonly close: () => void;
  readonly #tcp: Tcp;
  #memory = Buffer.allocUnsafeSlow(READ_BYTES);
  #end = 0;
  #isClosed = false;
  #isIdle = false;
  #isStale = false;
  /** Writes under way. A write that fails stays among them. */
  #writes = 0;
  /** The read that began when the connection became idle. */
  #pending: Promise<number | null> | undefined = undefined;
  #scratch: Buffer<ArrayBuffer> | undefined = undefined;

  constructor(tcp: Tcp) {
    this.#tcp = tcp;
    this.close = () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      tcp.close();
    };
  }

  /** The buffer. The bytes from `start` to `end` have arrived and have not been taken. */
  get memory(): Buffer<ArrayBuffer> {
    return this.#memory;
  }

  get end(): number {
    return this.#end;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether the connection was idle and no byte has arrived since then: the server may have closed it. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** Whether bytes are being written, or failed to be written. */
  get isWriting(): boolean {
    return this.#writes > 0;
  }

  /** Waits for more bytes. Returns `false` when the server sends no more; rejects when the connection breaks. */
  async fill(): Promise<boolean> {
    if (this.#pending === undefined) this.#makeRoom(0);
    const length = await (this.#pending ?? this.#tcp.read(this.#memory.subarray(this.#end)));
    this.#pending = undefined;
    if (length === null) return false;
    this.#end += length;
    this.#isStale = false;
    return true;
  }

  /** Reads into other memory; only when no bytes wait to be taken. Returns 0 when the server sends no more. */
  async read(memory: Bytes): Promise<number> {
    return await this.#tcp.read(memory) ?? 0;
  }

  /** Makes room in `memory` for this number of bytes, to be read by the next `fill`. */
  reserve(bytes: number): void {
    if (this.#pending === undefined) this.#makeRoom(bytes);
  }

  /** Writes all bytes. They must not change until then. */
  async write(bytes: Bytes): Promise<void> {
    this.#writes++;
    let written = await this.#tcp.write(bytes);
    while (written < bytes.length) written += await this.#tcp.write(bytes.subarray(written));
    this.#writes--;
  }

  /** Writes text, one byte per character, and then bytes: at once when they are short. */
  async writeHead(text: string, body: Bytes | null): Promise<void> {
    const length = text.length + (body?.length ?? 0);
    if (length > WRITE_BYTES) {
      await this.write(Buffer.from(text, "latin1"));
      if (body !== null) await this.write(body);
      return;
    }
    const scratch = this.#scratch ??= Buffer.allocUnsafeSlow(WRITE_BYTES);
    // For ASCII, UTF-8 is the same and this encoder is ten times as fast.
    const { read, written } = encoder.encodeInto(text, scratch);
    if (read !== text.length || written !== read) scratch.write(text, "latin1");
    if (body !== null) scratch.set(body, text.length);
    await this.write(scratch.subarray(0, length));
  }

  /** Makes the connection idle until `endIdle`; calls back when it cannot be used again. */
  beginIdle(ended: () => void): void {
    if (this.#memory.length > READ_BYTES) this.#memory = Buffer.allocUnsafeSlow(READ_BYTES);
    this.start = this.#end = 0;
    this.#isIdle = this.#isStale = true;
    this.#pending = this.#tcp.read(this.#memory);
    // Bytes that arrive while nothing was requested are no response to anything.
    const stop = (): void => {
      if (this.#isIdle) ended();
    };
    this.#pending.then(stop, stop);
  }

  endIdle(): void {
    this.#isIdle = false;
  }

  /** Moves the bytes that have arrived to the beginning, and into larger memory where that is not enough. */
  #makeRoom(bytes: number): void {
    if (this.start === this.#end) this.start = this.#end = 0;
    if (this.#memory.length - this.#end >= Math.max(bytes, 1)) return;
    const used = this.#end - this.start;
    const needed = used + bytes;
    const target = needed < this.#memory.length
      ? this.#memory
      : Buffer.allocUnsafeSlow(Math.max(needed, this.#memory.length * 2));
    this.#memory.copy(target, 0, this.start, this.#end);
    this.#memory = target;
    this.start = 0;
    this.#end = used;
  }
}

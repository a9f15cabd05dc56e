/**
 * One TCP connection to a server, with a buffer for the bytes that have arrived.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Bytes } from "../body.ts";
import type { ConnectionUse } from "./share.ts";

/** The part of `Deno.TcpConn` that is used. */
export interface Tcp {
  read(memory: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

// What an idle connection keeps: the response of an API usually fits.
const READ_BYTES = 16_384;
const WRITE_BYTES = 4096;
// The most that a record of TLS holds (RFC 8446 §5.1).
const RECORD_BYTES = 16_384;
// A read of bytes that have arrived fulfils within so many microtasks.
const READ_MICROTASKS = 8;
const TIMED_OUT = /^HTTP\/1\.[01] 408 /;
const encoder = new TextEncoder();

/** Keeps the connections to one host. */
export interface ConnectionKeeper {
  /** Called once when a connection has been closed, by whichever side. */
  closed(connection: TcpConnection): void;
  /** Makes a connection idle. */
  release(connection: TcpConnection): void;
  /** Called when a connection has been idle for a turn of the event loop, or was closed meanwhile. */
  settled(connection: TcpConnection): void;
  /** Called when the server has sent bytes over an idle connection. */
  sentUnasked(): void;
}

/** An open connection. Its buffer is reused: a view of the buffer is valid until the next call of `fill`. */
export class TcpConnection {
  /** The address of the server. */
  readonly address: string;
  readonly keeper: ConnectionKeeper | undefined;
  /** Where in `memory` the bytes begin that have not been taken. To be moved forward by the caller that takes them. */
  start = 0;
  /** When the server is expected to close the connection, by the client's clock. */
  expiresAt = Infinity;
  /** The place in the order in which the connections of the pool became idle. */
  idleOrder = 0;
  /**
   * On whose behalf a request has authenticated the connection (RFC 4559 §6); `undefined` when none has. An empty text
   * stands for an owner without a name.
   */
  owner: string | undefined = undefined;
  /** Where the connection is counted while it is used; `undefined` when it is idle, and where nothing is counted. */
  use: ConnectionUse | undefined = undefined;
  /** Ends both directions at once. Can be passed as a listener. */
  readonly close: () => void;
  readonly #endIdle: (read: unknown) => void;
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

  constructor(tcp: Tcp, address = "", keeper?: ConnectionKeeper) {
    this.#tcp = tcp;
    this.address = address;
    this.keeper = keeper;
    this.close = () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      tcp.close();
      keeper?.closed(this);
    };
    this.#endIdle = (read) => {
      if (!this.#isIdle) return;
      if (typeof read === "number" && !this.#hasTimedOut(read)) keeper?.sentUnasked();
      this.close();
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

  get isIdle(): boolean {
    return this.#isIdle;
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

  /**
   * Waits for more bytes like `fill`, and takes those that have arrived as well, until there are as many as wanted: a TLS
   * connection returns a record of 16 KiB at a time.
   */
  async fillUpTo(bytes: number): Promise<boolean> {
    if (this.#pending === undefined) this.#makeRoom(0);
    const before = this.#end;
    if (!await this.fill()) return false;
    let last = this.#end - before;
    while (
      last >= RECORD_BYTES && this.#end - this.start < bytes &&
      this.#memory.length - this.#end >= RECORD_BYTES
    ) {
      last = await this.#readIfHere();
      this.#end += last;
    }
    return true;
  }

  /** Reads bytes that have arrived; if there are none, the next `fill` waits for them. */
  async #readIfHere(): Promise<number> {
    const reading = this.#pending = this.#tcp.read(this.#memory.subarray(this.#end));
    let length = 0;
    reading.then((read) => length = read ?? 0, () => {});
    for (let count = 0; count < READ_MICROTASKS && length === 0; count++) await undefined;
    if (length > 0) this.#pending = undefined;
    return length;
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

  /**
   * Makes the connection idle until `endIdle`. Meanwhile it closes itself when the server closes it, or sends bytes: they
   * are no response to anything (RFC 9112 §9.2).
   */
  beginIdle(): void {
    if (this.#memory.length > READ_BYTES) this.#memory = Buffer.allocUnsafeSlow(READ_BYTES);
    this.start = this.#end = 0;
    this.#isIdle = this.#isStale = true;
    this.#pending = this.#tcp.read(this.#memory);
    this.#pending.then(this.#endIdle, this.#endIdle);
  }

  endIdle(): void {
    this.#isIdle = false;
  }

  /** Reports whether the server has said that it closes the connection for being idle (RFC 9110 §15.5.9). */
  #hasTimedOut(length: number): boolean {
    return TIMED_OUT.test(this.#memory.toString("latin1", 0, Math.min(length, 16)));
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

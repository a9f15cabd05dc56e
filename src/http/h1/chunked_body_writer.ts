/**
 * Writes a streamed request body in chunks (RFC 9112 §7.1), while the response may already be arriving.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Bytes } from "../body.ts";
import type { TcpConnection } from "./connection.ts";

// For the size and the line ends around the data of a chunk.
const FRAME_BYTES = 16;
const MAX_COPIED_BYTES = 65_536;
const LAST_CHUNK = new TextEncoder().encode("0\r\n\r\n");
const LINE_END = new TextEncoder().encode("\r\n");

/** Writes one body. */
export class ChunkedBodyWriter {
  readonly #connection: TcpConnection;
  readonly #reader: ReadableStreamDefaultReader<Bytes>;
  #scratch: Buffer<ArrayBuffer> | undefined = undefined;
  #isReading = false;
  #isComplete = false;
  #isClosed = false;
  #failure: unknown = undefined;

  /** Starts to write the head of a request and its body. */
  constructor(connection: TcpConnection, head: string, body: ReadableStream<Bytes>) {
    this.#connection = connection;
    this.#reader = body.getReader();
    this.#send(head).catch((error) => this.#fail(error));
  }

  /** Whether the whole body has been written. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** The error of a body that failed. The connection is then closed, so that the server sees a request without an end. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Cancels the part of the body that has not been read. */
  close(): void {
    this.#isClosed = true;
    if (!this.#isComplete) this.#reader.cancel().catch(() => {}); // the body has failed, which `failure` tells
  }

  async #send(head: string): Promise<void> {
    await this.#connection.writeHead(head, null);
    for (;;) {
      this.#isReading = true;
      const { done, value } = await this.#reader.read();
      this.#isReading = false;
      if (this.#isClosed) return;
      if (done) break;
      if (value.byteLength > 0) await this.#writeChunk(value); // an empty chunk would be the last one
    }
    await this.#connection.write(LAST_CHUNK);
    this.#isComplete = true;
  }

  /** Takes data that is valid until the next is requested. */
  async #writeChunk(data: Bytes): Promise<void> {
    const connection = this.#connection;
    const size = `${data.byteLength.toString(16)}\r\n`;
    if (data.byteLength > MAX_COPIED_BYTES) {
      await connection.writeHead(size, null);
      await connection.write(data);
      return await connection.write(LINE_END);
    }
    const needed = data.byteLength + FRAME_BYTES;
    let scratch = this.#scratch;
    if (scratch === undefined || scratch.length < needed) {
      scratch = this.#scratch = Buffer.allocUnsafeSlow(needed);
    }
    scratch.write(size, "latin1");
    scratch.set(data, size.length);
    scratch.set(LINE_END, size.length + data.byteLength);
    await connection.write(scratch.subarray(0, size.length + data.byteLength + LINE_END.length));
  }

  #fail(error: unknown): void {
    if (this.#isReading && !this.#isClosed) {
      this.#failure = error;
      this.#connection.close();
    }
    // A write that failed is not reported here: the response may have arrived all the same.
    this.close();
  }
}

/**
 * A request body that arrives in chunks: a stream for the request to read, and grants for the client as it is read.
 *
 * @module
 */
import { type Chunk, ProxyError } from "../protocol/mod.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Limits of an upload, and its callbacks. */
export interface UploadOptions {
  /** Credit to start with, in payload bytes. */
  readonly windowBytes: number;
  /** The most payload bytes in all. */
  readonly maxBytes: number;
  /** Called with the payload bytes that the client is granted. */
  readonly grant: (bytes: number) => void;
  /** Called when the request has taken a chunk. */
  readonly taken: () => void;
}

/** Payload that waits to be read: a chunk, or several small ones. */
interface Packet {
  readonly memory: Bytes;
  used: number;
}

// Chunks smaller than this are packed while they wait: else a byte of credit could cost a hundred bytes of memory.
const SMALL_BYTES = 4096;
const PACK_BYTES = 16_384;

/** A request body that is still arriving. */
export class Upload {
  /** The body. Each chunk is valid until the next is asked for. */
  readonly body: ReadableStream<Bytes>;
  readonly #options: UploadOptions;
  readonly #waiting: Packet[] = [];
  #credit: number;
  #received = 0;
  #ungranted = 0;
  #isFinished = false;
  #isClosed = false;
  #controller: ReadableStreamDefaultController<Bytes> | undefined;
  #wake: (() => void) | undefined;
  #lent: ArrayBuffer | undefined;

  constructor(options: UploadOptions) {
    this.#options = options;
    this.#credit = options.windowBytes;
    this.body = new ReadableStream<Bytes>({
      start: (controller) => void (this.#controller = controller),
      pull: (controller) => this.#pull(controller),
      cancel: () => void (this.#isClosed = true),
    }, { highWaterMark: 0 });
  }

  /**
   * Takes a chunk. Returns whether it was of use: the last one, or one with bytes that may still be read.
   *
   * @throws {ProxyError} `flow_control_error`: more than was granted, or a chunk after the last one;
   * `request_too_large`.
   */
  push({ payload, fin }: Chunk): boolean {
    const { byteLength } = payload;
    if (this.#isFinished) {
      throw new ProxyError("flow_control_error", "A chunk arrived after the last one");
    }
    if (this.#isClosed) return false; // the destination has responded without the rest
    if (byteLength > this.#credit) {
      throw new ProxyError(
        "flow_control_error",
        `A chunk of ${byteLength} bytes arrived with a credit of ${this.#credit}`,
      );
    }
    this.#credit -= byteLength;
    this.#received += byteLength;
    const { maxBytes } = this.#options;
    if (this.#received > maxBytes) {
      const message = `The request body is larger than ${maxBytes} bytes`;
      throw new ProxyError("request_too_large", message, { sent: "maybe" });
    }
    this.#isFinished = fin;
    if (byteLength > 0) this.#pack(payload);
    if (byteLength > 0 || fin) this.#wake?.();
    return byteLength > 0 || fin;
  }

  /** Drops what has not been read, and breaks the stream off unless it has ended. */
  close(): void {
    this.#waiting.length = 0;
    if (!this.#isClosed) {
      this.#controller?.error(new TypeError("The request body is no longer wanted"));
    }
    this.#isClosed = true;
    this.#wake?.();
  }

  async #pull(controller: ReadableStreamDefaultController<Bytes>): Promise<void> {
    this.#free();
    if (this.#waiting.length === 0 && !this.#isFinished) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#isClosed) return;
    const packet = this.#waiting.shift();
    if (packet !== undefined) this.#handOver(packet, controller);
    if (!this.#isFinished || this.#waiting.length > 0) return;
    this.#isClosed = true;
    controller.close();
  }

  /** Frees the last chunk: a reader that asks for more is done with it, and the collector may be slow. */
  #free(): void {
    this.#lent?.transfer(0);
    this.#lent = undefined;
  }

  #handOver({ memory, used }: Packet, controller: ReadableStreamDefaultController<Bytes>): void {
    const { windowBytes, grant, taken } = this.#options;
    controller.enqueue(memory.subarray(0, used));
    this.#lent = memory.buffer;
    taken();
    this.#ungranted += used;
    // Grants are few, and none is so late that a client at full speed has to stop.
    if (this.#isFinished || this.#ungranted < windowBytes / 2) return;
    this.#credit += this.#ungranted;
    grant(this.#ungranted);
    this.#ungranted = 0;
  }

  #pack(payload: Bytes): void {
    const { byteLength } = payload;
    const last = this.#waiting.at(-1);
    const fits = last !== undefined && last.used + byteLength <= last.memory.byteLength;
    if (byteLength >= SMALL_BYTES || this.#waiting.length === 0) {
      this.#waiting.push({ memory: payload, used: byteLength });
    } else if (fits) {
      last.memory.set(payload, last.used);
      last.used += byteLength;
    } else {
      const memory = new Uint8Array(PACK_BYTES);
      memory.set(payload);
      this.#waiting.push({ memory, used: byteLength });
    }
  }
}

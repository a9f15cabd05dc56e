/**
 * The body of a response as a stream that grants the server credit as its reader takes bytes.
 *
 * @module
 */
import { ProxyError } from "../protocol/mod.ts";
import type { PendingExchange } from "./pending_exchange.ts";

/** The body of a response that is being received. */
export class ResponseBody {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #exchange: PendingExchange;
  readonly #windowBytes: number;
  readonly #done: () => void;
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];
  #controller: ReadableByteStreamController | undefined;
  #creditBytes: number;
  #takenBytes = 0;
  #isWanted = false;
  #isOver = false;
  /** Closes or fails the stream; called when all chunks were read. */
  #ending: (() => void) | undefined;

  /**
   * @param exchange Receives the credit, and is cancelled when the reader cancels the stream.
   * @param options.windowBytes Credit that the server has at first.
   * @param options.done Called once, when the stream has ended, failed or was cancelled.
   */
  constructor(
    exchange: PendingExchange,
    { windowBytes, done }: { readonly windowBytes: number; readonly done: () => void },
  ) {
    this.#exchange = exchange;
    this.#windowBytes = this.#creditBytes = windowBytes;
    this.#done = done;
    this.stream = new ReadableStream({
      type: "bytes",
      start: (controller): void => {
        this.#controller = controller;
      },
      pull: (): void => {
        this.#isWanted = true;
        this.#deliver();
      },
      cancel: () => this.#finish(() => exchange.cancel()),
    });
  }

  /**
   * Appends a chunk.
   *
   * @throws {ProxyError} `flow_control_error`: the chunk exceeds the credit of the server.
   */
  push(chunk: Uint8Array<ArrayBuffer>): void {
    this.#creditBytes -= chunk.byteLength;
    if (this.#creditBytes < 0) {
      const message = "The server sent more bytes than it had credit for";
      throw new ProxyError("flow_control_error", message, { sent: "yes" });
    }
    if (this.#isOver || chunk.byteLength === 0) return;
    this.#chunks.push(chunk);
    this.#deliver();
  }

  /** Ends the stream after the chunks that were received. */
  end(): void {
    this.#endWith(() => {
      this.#controller?.close();
      this.#controller?.byobRequest?.respond(0); // settles a pending read into the reader's buffer
    });
  }

  /** Fails the stream after the chunks that were received. */
  fail(reason: unknown): void {
    this.#endWith(() => this.#controller?.error(reason));
  }

  /** Fails the stream immediately. */
  abort(reason: unknown): void {
    this.#finish(() => this.#controller?.error(reason));
  }

  #endWith(ending: () => void): void {
    this.#ending ??= ending;
    this.#deliver();
  }

  #finish(ending: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#chunks.length = 0;
    ending();
    this.#done();
  }

  #deliver(): void {
    while (this.#isWanted && this.#chunks.length > 0) {
      const chunk = this.#chunks.shift() ?? new Uint8Array();
      this.#isWanted = false;
      this.#takenBytes += chunk.byteLength;
      this.#controller?.enqueue(chunk); // may call pull() synchronously
      if (this.#isOver) return;
    }
    if (this.#ending !== undefined) {
      if (this.#chunks.length === 0) this.#finish(this.#ending);
      return;
    }
    // Grants go out in batches of half a window: one for each chunk would double the number of frames.
    if (this.#takenBytes > 0 && this.#takenBytes >= this.#windowBytes / 2) {
      this.#creditBytes += this.#takenBytes;
      this.#exchange.grant(this.#takenBytes);
      this.#takenBytes = 0;
    }
  }
}

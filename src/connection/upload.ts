/**
 * A request body that arrives in chunks: a stream for fetch to read, and grants for the client as it does.
 *
 * @module
 */
import { type Chunk, ProxyError } from "../protocol/mod.ts";

/** A body on its way. */
export interface Upload {
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Takes a chunk.
   *
   * @throws {ProxyError} `flow_control_error`: more than was granted, or a chunk behind the last one;
   * `request_too_large`.
   */
  push(chunk: Chunk): void;
  /** Drops what has not been read. */
  close(): void;
}

/** How a body arrives. */
export interface UploadOptions {
  /** Credit to start with, in payload bytes. */
  readonly windowBytes: number;
  /** The most payload bytes all in all. */
  readonly maxBytes: number;
  /** Grants the client more. */
  readonly grant: (bytes: number) => void;
  /** Called when fetch has taken a chunk. */
  readonly taken: () => void;
}

/** Creates an {@linkcode Upload}. */
export function createUpload({ windowBytes, maxBytes, grant, taken }: UploadOptions): Upload {
  const waiting: Chunk[] = [];
  let credit = windowBytes;
  let received = 0;
  let ungranted = 0;
  let finished = false;
  let closed = false;
  let wake: (() => void) | undefined;

  function handOver(
    { payload, fin }: Chunk,
    controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>,
  ): void {
    if (payload.byteLength > 0) controller.enqueue(payload);
    if (fin) controller.close();
    taken();
    ungranted += payload.byteLength;
    // Few grants, and yet none so late that a client that sends at full speed has to stop.
    if (fin || ungranted < windowBytes / 2) return;
    credit += ungranted;
    grant(ungranted);
    ungranted = 0;
  }

  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller): Promise<void> {
      // An empty chunk enqueues nothing, and fetch would not ask again.
      for (let handed = false; !handed && !closed;) {
        const chunk = waiting.shift();
        if (chunk === undefined) {
          await new Promise<void>((resolve) => wake = resolve);
          continue;
        }
        handOver(chunk, controller);
        handed = chunk.fin || chunk.payload.byteLength > 0;
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });

  function close(): void {
    closed = true;
    waiting.length = 0;
    wake?.();
  }

  return {
    body,
    push(chunk: Chunk): void {
      if (closed) return; // the destination has answered without the rest
      const { byteLength } = chunk.payload;
      if (finished) throw new ProxyError("flow_control_error", "A chunk came behind the last one");
      if (byteLength > credit) {
        throw new ProxyError(
          "flow_control_error",
          `A chunk of ${byteLength} bytes came with a credit of ${credit}`,
        );
      }
      credit -= byteLength;
      received += byteLength;
      if (received > maxBytes) {
        throw new ProxyError(
          "request_too_large",
          `The request body is larger than ${maxBytes} bytes`,
          { sent: "maybe" },
        );
      }
      finished = chunk.fin;
      waiting.push(chunk);
      wake?.();
    },
    close,
  };
}

/**
 * A request body that arrives in chunks: a stream for fetch to read, and grants for the client as it does.
 *
 * @module
 */
import { type Chunk, ProxyError } from "../protocol/mod.ts";

/** A body on its way. */
export interface Upload {
  /** Each chunk is good until the next is asked for. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Takes a chunk.
   *
   * @throws {ProxyError} `flow_control_error`: more than was granted, or a chunk behind the last one;
   * `request_too_large`.
   */
  push(chunk: Chunk): void;
  /** Drops what has not been read, and breaks the stream off unless it has ended. */
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

type Controller = ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;

/** Payload that waits to be read: chunks, small ones packed together. */
interface Packet {
  readonly memory: Uint8Array<ArrayBuffer>;
  used: number;
}

// Chunks smaller than this are packed while they wait, or a byte of credit could cost a hundred of memory.
const SMALL_BYTES = 4096;
const PACK_BYTES = 16_384;

/** Creates an {@linkcode Upload}. */
export function createUpload({ windowBytes, maxBytes, grant, taken }: UploadOptions): Upload {
  const waiting: Packet[] = [];
  let credit = windowBytes;
  let received = 0;
  let ungranted = 0;
  let finished = false;
  let closed = false;
  let stream: Controller | undefined;
  let wake: (() => void) | undefined;
  let lent: ArrayBuffer | undefined;

  /** fetch asks for more when it has done with what it has: a long body must not leave all its chunks behind. */
  function free(): void {
    lent?.transfer(0);
    lent = undefined;
  }

  function handOver({ memory, used }: Packet, controller: Controller): void {
    controller.enqueue(memory.subarray(0, used));
    lent = memory.buffer;
    taken();
    ungranted += used;
    // Few grants, and yet none so late that a client that sends at full speed has to stop.
    if (finished || ungranted < windowBytes / 2) return;
    credit += ungranted;
    grant(ungranted);
    ungranted = 0;
  }

  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller): void {
      stream = controller;
    },
    async pull(controller): Promise<void> {
      free();
      if (waiting.length === 0 && !finished) await new Promise<void>((resolve) => wake = resolve);
      if (closed) return;
      const packet = waiting.shift();
      if (packet !== undefined) handOver(packet, controller);
      if (finished && waiting.length === 0) end(controller);
    },
    cancel: () => void (closed = true),
  }, { highWaterMark: 0 });

  function end(controller: Controller): void {
    closed = true;
    controller.close();
  }

  function pack(payload: Uint8Array<ArrayBuffer>): void {
    const { byteLength } = payload;
    const last = waiting.at(-1);
    const fits = last !== undefined && last.used + byteLength <= last.memory.byteLength;
    if (byteLength >= SMALL_BYTES || waiting.length === 0) {
      waiting.push({ memory: payload, used: byteLength });
    } else if (fits) {
      last.memory.set(payload, last.used);
      last.used += byteLength;
    } else {
      const memory = new Uint8Array(PACK_BYTES);
      memory.set(payload);
      waiting.push({ memory, used: byteLength });
    }
  }

  return {
    body,
    push({ payload, fin }: Chunk): void {
      const { byteLength } = payload;
      if (finished) throw new ProxyError("flow_control_error", "A chunk came behind the last one");
      if (closed) return; // the destination has answered without the rest
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
      finished = fin;
      if (byteLength > 0) pack(payload);
      if (byteLength > 0 || fin) wake?.();
    },
    close(): void {
      waiting.length = 0;
      if (!closed) stream?.error(new TypeError("The request body is not wanted any more"));
      closed = true;
      wake?.();
    },
  };
}

/**
 * A request body that is streamed, in chunks (RFC 9112 §7.1), while the response may come already.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Bytes } from "../body.ts";
import type { TcpConnection } from "./connection.ts";

/** A body on its way. */
export interface ChunkedBodyWriter {
  /** All of it has been written. */
  readonly isComplete: boolean;
  /** What the body failed with; then its request has no end, which the server has to see. */
  readonly failure: unknown;
  /** Lets go of what has not been read. */
  close(): void;
}

// Size and line ends around the data of a chunk.
const FRAME_BYTES = 16;
const MAX_COPIED_BYTES = 65_536;
const LAST_CHUNK = new TextEncoder().encode("0\r\n\r\n");
const LINE_END = new TextEncoder().encode("\r\n");

/** Begins to send a head and the body behind it. */
export function writeChunkedBody(
  connection: TcpConnection,
  head: string,
  body: ReadableStream<Bytes>,
): ChunkedBodyWriter {
  const reader = body.getReader();
  let scratch: Buffer<ArrayBuffer> | undefined;
  let isComplete = false;
  let isClosed = false;
  let isReading = false;
  let failure: unknown;

  /** A piece of data is good until the next is asked for. */
  async function writeChunk(data: Bytes): Promise<void> {
    const size = `${data.byteLength.toString(16)}\r\n`;
    if (data.byteLength > MAX_COPIED_BYTES) {
      await connection.writeHead(size, null);
      await connection.write(data);
      return await connection.write(LINE_END);
    }
    const needed = data.byteLength + FRAME_BYTES;
    if (scratch === undefined || scratch.length < needed) scratch = Buffer.allocUnsafeSlow(needed);
    scratch.write(size, "latin1");
    scratch.set(data, size.length);
    scratch.set(LINE_END, size.length + data.byteLength);
    await connection.write(
      scratch.subarray(0, size.length + data.byteLength + LINE_END.length),
    );
  }

  async function send(): Promise<void> {
    await connection.writeHead(head, null);
    for (;;) {
      isReading = true;
      const { done, value } = await reader.read();
      isReading = false;
      if (isClosed) return;
      if (done) break;
      if (value.byteLength > 0) await writeChunk(value); // an empty chunk would be the last
    }
    await connection.write(LAST_CHUNK);
    isComplete = true;
  }

  function close(): void {
    if (isClosed) return;
    isClosed = true;
    if (!isComplete) reader.cancel().catch(() => {}); // it has failed, and said so
  }

  send().catch((error) => {
    if (isReading && !isClosed) {
      failure = error;
      connection.close();
    }
    close(); // a server that has stopped reading may have answered, and whoever reads is told as well
  });

  return {
    get isComplete(): boolean {
      return isComplete;
    },
    get failure(): unknown {
      return failure;
    },
    close,
  };
}

/**
 * A request's body on its way to the server, in chunks, no faster than the server gives credit.
 *
 * @module
 */
import { encodeChunk, MAX_CHUNK_BYTES } from "../protocol/mod.ts";

/** Where a body's bytes come from: a stream's reader, or what looks like one. */
export interface Source {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
  cancel(reason?: unknown): Promise<void>;
}

/** Where the chunks go. */
export interface UploadDeps {
  readonly id: number;
  /** Credit in bytes to start with. */
  readonly windowBytes: number;
  send(chunk: Uint8Array<ArrayBuffer>): void;
  /** The source has failed. */
  failed(reason: unknown): void;
}

/** A body that is being sent. */
export interface Upload {
  /** The server takes so many more bytes. */
  grant(bytes: number): void;
  /** Sends no more, and cancels the source. */
  stop(): void;
}

/** Begins to send a body. */
export function startUpload(
  source: Source,
  { id, windowBytes, send, failed }: UploadDeps,
): Upload {
  let credit = windowBytes;
  let isStopped = false;
  let wake = (): void => {};

  async function sendAll(): Promise<void> {
    for (;;) {
      const { done, value } = await source.read();
      if (isStopped) return;
      if (done) break;
      if (!(value instanceof Uint8Array)) throw new TypeError("A body's chunks have to be bytes");
      let rest = new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
      while (rest.byteLength > 0) {
        if (credit === 0) await new Promise<void>((resolve) => wake = resolve);
        if (isStopped) return;
        const size = Math.min(rest.byteLength, MAX_CHUNK_BYTES, credit);
        credit -= size;
        send(encodeChunk({ id, payload: rest.subarray(0, size), fin: false }));
        rest = rest.subarray(size);
      }
    }
    isStopped = true;
    send(encodeChunk({ id, payload: new Uint8Array(), fin: true }));
  }

  sendAll().catch((reason) => {
    if (!isStopped) failed(reason);
  });

  return {
    grant(bytes): void {
      credit += bytes;
      if (credit > 0) wake();
    },
    stop(): void {
      if (isStopped) return;
      isStopped = true;
      wake();
      source.cancel().catch(() => {}); // nobody waits for the rest any more
    },
  };
}

/**
 * The body of a response as it comes: a stream that asks for more only as its reader takes what there is.
 *
 * @module
 */
import { ProxyError } from "../protocol/mod.ts";

/** How a body is received. */
export interface BodyOptions {
  /** Credit in bytes that the server has to start with. */
  readonly windowBytes: number;
  /** Gives the server more credit. */
  grant(bytes: number): void;
  /** The reader wants no more. */
  cancel(): void;
  /** Nothing more happens: everything was read, or the body has failed or was cancelled. */
  done(): void;
}

/** A body that is being received. */
export interface Body {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Takes a chunk.
   *
   * @throws {ProxyError} `flow_control_error`: it is more than the server had credit for.
   */
  push(chunk: Uint8Array<ArrayBuffer>): void;
  /** That was all. */
  end(): void;
  /** Fails, after what was received has been read. */
  fail(reason: unknown): void;
  /** Fails at once. */
  abort(reason: unknown): void;
}

/** Creates a {@linkcode Body}. */
export function createBody({ windowBytes, grant, cancel, done }: BodyOptions): Body {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let credit = windowBytes;
  let takenBytes = 0;
  let isWanted = false;
  let ending: (() => void) | undefined;
  let isOver = false;
  let controller: ReadableByteStreamController | undefined;

  function finish(how: () => void): void {
    if (isOver) return;
    isOver = true;
    chunks.length = 0;
    how();
    done();
  }

  function close(): void {
    controller?.close();
    controller?.byobRequest?.respond(0); // a pending read into a buffer is answered only so
  }

  const fail = (reason: unknown) => (): void => controller?.error(reason);

  function deliver(): void {
    while (isWanted && chunks.length > 0) {
      const chunk = chunks.shift() ?? new Uint8Array();
      isWanted = false;
      takenBytes += chunk.byteLength;
      controller?.enqueue(chunk); // may ask for the next one at once
      if (isOver) return;
    }
    if (chunks.length === 0 && ending !== undefined) return finish(ending);
    // In batches of half a window: a frame a chunk would double the traffic.
    if (ending === undefined && takenBytes > 0 && takenBytes >= windowBytes / 2) {
      credit += takenBytes;
      grant(takenBytes);
      takenBytes = 0;
    }
  }

  return {
    stream: new ReadableStream({
      type: "bytes",
      start(it): void {
        controller = it;
      },
      pull(): void {
        isWanted = true;
        deliver();
      },
      cancel: () => finish(cancel),
    }),
    push(chunk): void {
      credit -= chunk.byteLength;
      if (credit < 0) {
        throw new ProxyError("flow_control_error", "The server sent more than it had credit for", {
          sent: "yes",
        });
      }
      if (isOver || chunk.byteLength === 0) return;
      chunks.push(chunk);
      deliver();
    },
    end(): void {
      ending ??= close;
      deliver();
    },
    fail(reason): void {
      ending ??= fail(reason);
      deliver();
    },
    abort: (reason) => finish(fail(reason)),
  };
}

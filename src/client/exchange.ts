/**
 * One request from the moment it waits for a connection to the end of its answer, over more than one connection
 * where it may be sent again.
 *
 * @module
 */
import { encodeRequest, isIdempotent, type Limits, ProxyError } from "../protocol/mod.ts";
import { type Answer, type Inbound, invalid } from "./inbound.ts";
import type { OutgoingRequest } from "./request.ts";
import { startUpload, toSource, type Upload } from "./upload.ts";

/** What an exchange may do on the connection that it is on. */
export interface Link {
  readonly id: number;
  /** What the server has said in `hello`, if it has. */
  readonly limits: Limits | undefined;
  send(message: string | Uint8Array<ArrayBuffer>): void;
  /** Gives the id back. */
  release(): void;
}

/** Takes the answer to a request. */
export interface Sink {
  /**
   * Takes the next part of the answer; gives `true` when it was the last.
   *
   * @throws When the part makes no sense here.
   */
  accept(answer: Answer): boolean;
  /** There will be no more, for this reason. */
  fail(reason: unknown): void;
}

/** What a {@linkcode Sink} may ask for. */
export interface Control {
  /** Gives the server credit. */
  grant(bytes: number): void;
  /** Ends the exchange; the sink hears no more. */
  cancel(): void;
}

/** The end of a connection, as its exchanges see it. */
export interface Loss {
  readonly message: string;
  readonly cause?: unknown;
  /** There will be another connection. */
  readonly maySendAgain: boolean;
  /** The caller may have more luck. */
  readonly isRetryable: boolean;
}

/** A request and its answer. */
export interface Exchange {
  /** May not be sent before `hello` has told the limits. */
  readonly needsHello: boolean;
  /** Sends the request. */
  begin(link: Link): void;
  /** Takes a message of the server. */
  receive(message: Answer | Extract<Inbound, { type: "grant" }>): void;
  /** Ends with a failure, or is sent again. */
  fail(error: ProxyError): void;
  /** The connection is gone: ends with a failure, or is sent again. */
  lose(loss: Loss): void;
  /** Is given up by the caller. */
  abort(reason: unknown): void;
}

/** What an exchange needs. */
export interface ExchangeDeps<S extends Sink> {
  createSink(control: Control): S;
  /** Puts the exchange into the queue again; `delayed`: not at once. */
  resubmit(exchange: Exchange, delayed: boolean): void;
  /** Takes the exchange out of the queue. */
  withdraw(exchange: Exchange): void;
}

/** How a server is to answer: in chunks with credit, or in events. */
export interface Mode {
  readonly stream: true | "events";
  readonly windowBytes?: number;
}

/** What is larger, in bytes, waits for `hello`: a server's limit is hardly ever lower. */
const EARLY_BYTES = 4096;
/** So often an exchange is sent again. */
const MAX_RESENDS = 8;

/** Creates an exchange, which has to be submitted. */
export function createExchange<S extends Sink>(
  request: OutgoingRequest,
  mode: Mode,
  { createSink, resubmit, withdraw }: ExchangeDeps<S>,
): { readonly exchange: Exchange; readonly sink: S } {
  const { method, body } = request;
  const bytes = body instanceof Uint8Array ? body : null;
  const isReplayable = body === null || bytes !== null;
  let link: Link | undefined;
  let upload: Upload | undefined;
  let hasHead = false;
  let isOver = false;
  let resends = 0;

  function encode(id: number, bodyFollows: boolean): string {
    return encodeRequest(id, {
      ...request,
      ...mode,
      body: bodyFollows ? null : bytes,
      bodyFollows,
    });
  }

  function leave(): Link | undefined {
    const left = link;
    link = undefined;
    upload?.stop();
    upload = undefined;
    left?.release();
    return left;
  }

  function cancel(): void {
    if (isOver) return;
    isOver = true;
    link?.send(JSON.stringify({ type: "cancel", id: link.id }));
    if (leave() === undefined) withdraw(exchange);
  }

  function abort(reason: unknown): void {
    if (isOver) return;
    cancel();
    sink.fail(reason);
  }

  function end(error: ProxyError): void {
    isOver = true;
    leave();
    sink.fail(error);
  }

  function sendAgain(delayed: boolean): void {
    resends++;
    leave();
    resubmit(exchange, delayed);
  }

  function maySendAgain(sent: ProxyError["sent"]): boolean {
    return !hasHead && isReplayable && resends < MAX_RESENDS &&
      (sent === "no" || (sent === "maybe" && request.retry === true && isIdempotent(method)));
  }

  function isTooLong(text: string, { maxFrameBytes }: Limits): boolean {
    return text.length * 3 > maxFrameBytes && // at most 3 bytes each
      new TextEncoder().encode(text).byteLength > maxFrameBytes;
  }

  /** Gives the frame, and whether the body follows it. */
  function toFrame(id: number, limits: Limits | undefined): readonly [string, boolean] {
    const isLarge = bytes !== null && limits !== undefined &&
      bytes.byteLength > limits.maxRequestBytes;
    const bodyFollows = !isReplayable || isLarge;
    const frame = encode(id, bodyFollows);
    if (limits === undefined || !isTooLong(frame, limits)) return [frame, bodyFollows];
    const head = bytes === null ? frame : encode(id, true);
    if (!isTooLong(head, limits)) return [head, true];
    throw new ProxyError(
      "frame_too_large",
      `URL and headers take more than ${limits.maxFrameBytes} bytes`,
    );
  }

  function begin(given: Link): void {
    link = given;
    const { id, limits, send } = given;
    const { timeoutMs = 0 } = request;
    if (limits !== undefined && timeoutMs > limits.maxTimeoutMs) {
      return end(new ProxyError("bad_request", `"timeoutMs" is more than ${limits.maxTimeoutMs}`));
    }
    let frame: readonly [string, boolean];
    try {
      frame = toFrame(id, limits);
    } catch (error) {
      return end(error as ProxyError); // nothing else is thrown there
    }
    send(frame[0]);
    if (!frame[1] || body === null || link !== given) return;
    upload = startUpload(body instanceof Uint8Array ? toSource(body) : body, {
      id,
      windowBytes: limits?.windowBytes ?? 0,
      send,
      failed: (cause) =>
        abort(new ProxyError("connection_terminated", "The request's body failed", { cause })),
    });
  }

  const sink = createSink({
    grant: (bytes) => link?.send(JSON.stringify({ type: "grant", id: link.id, bytes })),
    cancel,
  });
  const exchange: Exchange = {
    needsHello: !isReplayable || toRoughSize(request) > EARLY_BYTES,
    begin,
    receive(message): void {
      if (isOver) return;
      if (message.type === "grant") return upload?.grant(message.bytes);
      try {
        const isLast = sink.accept(message);
        hasHead = true;
        if (isLast && !isOver) {
          isOver = true;
          leave();
        }
      } catch (cause) {
        abort(cause instanceof ProxyError ? cause : invalid("The answer makes no sense", cause));
      }
    },
    fail(error): void {
      if (isOver) return;
      const { code, sent } = error;
      if (code === "draining" && maySendAgain(sent)) return sendAgain(false);
      if (code === "too_many_in_flight" && sent === "no" && maySendAgain(sent)) {
        return sendAgain(true);
      }
      end(error);
    },
    lose(loss): void {
      if (isOver) return;
      const sent = hasHead ? "yes" : link === undefined ? "no" : "maybe";
      if (loss.maySendAgain && maySendAgain(sent)) return sendAgain(false);
      const retryable = loss.isRetryable && (sent === "no" || isIdempotent(method));
      const { message, cause } = loss;
      end(new ProxyError("connection_terminated", message, { sent, retryable, cause }));
    },
    abort,
  };
  return { exchange, sink };
}

function toRoughSize({ url, headers, body }: OutgoingRequest): number {
  const bodyBytes = body instanceof Uint8Array ? body.byteLength : 0;
  return url.href.length + bodyBytes + headers.flat().join("").length;
}

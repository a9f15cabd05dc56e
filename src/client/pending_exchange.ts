/**
 * A request from the moment it waits for a connection until its response has ended. It may use more than one
 * connection, since a request that no destination has acted on is sent again.
 *
 * @module
 */
import {
  encodeRequest,
  isIdempotent,
  ProxyError,
  type StreamMode,
  timeoutTooLong,
} from "../protocol/mod.ts";
import {
  type ConnectionLoss,
  type ExchangeConnection,
  type ExchangeQueue,
  needsNewConnection,
  type QueuedExchange,
} from "./queued_exchange.ts";
import type { OutgoingRequest } from "./request.ts";
import { invalidMessage, type ResponsePart, type UploadGrant } from "./server_message.ts";
import { UploadSender } from "./upload_sender.ts";

/** Handles the response of an exchange. */
export interface ResponseReceiver {
  /**
   * Handles the next part and returns whether it was the last.
   *
   * @throws {ProxyError} The part is not valid at this point; the exchange is aborted with the error.
   */
  accept(part: ResponsePart, exchange: PendingExchange): boolean;
  /** Handles the failure of the exchange. No part follows. */
  fail(reason: unknown): void;
}

/** How the server delivers the body of a response. */
export interface ResponseMode {
  readonly stream: StreamMode;
  /** With `stream: true`: credit in bytes that the server has at first. */
  readonly windowBytes?: number;
}

/** Larger requests wait for `hello`, in bytes: hardly any server has a lower limit. */
const EARLY_BYTES = 4096;
/** How often an exchange is sent again at most. */
const MAX_RESENDS = 8;

/** A request and its response. */
export class PendingExchange implements QueuedExchange {
  readonly needsHello: boolean;
  readonly #request: OutgoingRequest;
  readonly #receiver: ResponseReceiver;
  readonly #queue: ExchangeQueue;
  readonly #mode: ResponseMode;
  #id = 0;
  #connection: ExchangeConnection | undefined;
  #upload: UploadSender | undefined;
  #hasHead = false;
  #isOver = false;
  #resends = 0;

  /** Creates an exchange that is not yet in the queue. */
  constructor(
    request: OutgoingRequest,
    receiver: ResponseReceiver,
    { queue, mode }: { readonly queue: ExchangeQueue; readonly mode: ResponseMode },
  ) {
    this.#request = request;
    this.#receiver = receiver;
    this.#queue = queue;
    this.#mode = mode;
    this.needsHello = !isReplayable(request) || estimateBytes(request) > EARLY_BYTES;
  }

  begin(id: number, connection: ExchangeConnection): void {
    this.#id = id;
    this.#connection = connection;
    const { maxRequestBytes, maxFrameBytes, maxTimeoutMs } = connection.limits;
    const { body, timeoutMs = 0 } = this.#request;
    const bytes = body instanceof Uint8Array ? body : null;
    let bodyFollows = body !== bytes || (bytes?.byteLength ?? 0) > maxRequestBytes;
    let frame = this.#encode(bytes, bodyFollows);
    if (bytes !== null && isLonger(frame, maxFrameBytes)) {
      bodyFollows = true;
      frame = this.#encode(bytes, bodyFollows);
    }
    if (isLonger(frame, maxFrameBytes)) {
      return this.#end(
        new ProxyError("frame_too_large", "The URL and the headers exceed the size of a frame"),
      );
    }
    if (timeoutMs > maxTimeoutMs) return this.#end(timeoutTooLong(maxTimeoutMs));
    connection.send(frame); // may lose the connection
    if (!bodyFollows || body === null || this.#connection !== connection) return;
    this.#upload = new UploadSender(
      body instanceof Uint8Array ? new Blob([body]).stream().getReader() : body,
    );
    this.#upload.send(id, connection).catch((cause) =>
      this.abort(new ProxyError("connection_terminated", "The request body failed", { cause }))
    );
  }

  receive(message: ResponsePart | UploadGrant): void {
    if (this.#isOver) return;
    if (message.type === "grant") return this.#upload?.grant(message.bytes);
    try {
      const isLast = this.#receiver.accept(message, this);
      this.#hasHead = true;
      if (isLast && !this.#isOver) this.#finish();
    } catch (cause) {
      this.abort(cause instanceof ProxyError ? cause : invalidMessage(cause));
    }
  }

  fail(error: ProxyError): void {
    if (this.#isOver) return;
    const { code, sent } = error;
    const isServerBusy = code === "too_many_in_flight" && sent === "no";
    if ((isServerBusy || needsNewConnection(error)) && this.#maySendAgain(sent)) {
      this.#sendAgain(isServerBusy);
    } else this.#end(error);
  }

  lose({ message, cause, maySendAgain, isRetryable }: ConnectionLoss): void {
    if (this.#isOver) return;
    const sent = this.#hasHead ? "yes" : this.#connection === undefined ? "no" : "maybe";
    if (maySendAgain && this.#maySendAgain(sent)) return this.#sendAgain(false);
    const retryable = isRetryable && (sent === "no" || isIdempotent(this.#request.method));
    this.#end(new ProxyError("connection_terminated", message, { sent, retryable, cause }));
  }

  abort(reason: unknown): void {
    if (this.#isOver) return;
    this.cancel();
    this.#receiver.fail(reason);
  }

  /** Ends the exchange without calling the receiver, and tells the server to stop. */
  cancel(): void {
    if (this.#isOver) return;
    this.#sendControl("cancel");
    if (this.#connection === undefined) this.#queue.withdraw(this);
    this.#finish();
  }

  /** Grants the server credit for the response body. */
  grant(bytes: number): void {
    this.#sendControl("grant", bytes);
  }

  #encode(bytes: Uint8Array<ArrayBuffer> | null, bodyFollows: boolean): string {
    const body = bodyFollows ? null : bytes;
    return encodeRequest(this.#id, { ...this.#request, ...this.#mode, body, bodyFollows });
  }

  #sendControl(type: "cancel" | "grant", bytes?: number): void {
    this.#connection?.send(JSON.stringify({ type, id: this.#id, bytes }));
  }

  #leave(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#upload?.stop();
    this.#upload = undefined;
    connection?.release(this.#id);
  }

  #finish(): void {
    this.#isOver = true;
    this.#leave();
  }

  #end(error: ProxyError): void {
    this.#finish();
    this.#receiver.fail(error);
  }

  #sendAgain(isServerBusy: boolean): void {
    this.#resends++;
    this.#leave();
    this.#queue.resubmit(this, isServerBusy);
  }

  #maySendAgain(sent: ProxyError["sent"]): boolean {
    const { method, retry } = this.#request;
    return !this.#hasHead && isReplayable(this.#request) && this.#resends < MAX_RESENDS &&
      (sent === "no" || (sent === "maybe" && retry === true && isIdempotent(method)));
  }
}

/** Returns whether the body is in memory, so that the request can be sent again. */
export function isReplayable({ body }: OutgoingRequest): boolean {
  return body === null || body instanceof Uint8Array;
}

function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && // a UTF-16 code unit takes at most 3 bytes
    new TextEncoder().encode(text).byteLength > bytes;
}

function estimateBytes({ url, headers, body }: OutgoingRequest): number {
  return `${url.href}${headers}`.length + (body instanceof Uint8Array ? body.byteLength : 0);
}

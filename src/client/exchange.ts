/**
 * One request from the moment it waits for a connection to the end of its answer, over more than one connection
 * where it may be sent again.
 *
 * @module
 */
import { encodeRequest, isIdempotent, ProxyError } from "../protocol/mod.ts";
import { isFarewell } from "./farewell.ts";
import { type Answer, type ClientLimits, type Inbound, invalid } from "./inbound.ts";
import type { Loss } from "./loss.ts";
import type { OutgoingRequest } from "./request.ts";
import type { Control, Sink } from "./sink.ts";
import { type Source, startUpload, type Upload } from "./upload.ts";

/** What an exchange may do on the connection that it is on. */
export interface Link {
  readonly id: number;
  /** What the server has said in `hello`; before, no limits. */
  readonly limits: ClientLimits;
  send(message: string | Uint8Array<ArrayBuffer>): void;
  /** Gives the id back. */
  release(): void;
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

  function tell(type: "cancel" | "grant", bytes?: number): void {
    link?.send(JSON.stringify({ type, id: link.id, bytes }));
  }

  function leave(): Link | undefined {
    const left = link;
    link = undefined;
    upload?.stop();
    upload = undefined;
    left?.release();
    return left;
  }

  function finish(): Link | undefined {
    isOver = true;
    return leave();
  }

  function cancel(): void {
    if (isOver) return;
    tell("cancel");
    if (finish() === undefined) withdraw(exchange);
  }

  function abort(reason: unknown): void {
    if (isOver) return;
    cancel();
    sink.fail(reason);
  }

  function end(error: ProxyError): void {
    finish();
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

  function begin(given: Link): void {
    link = given;
    const { id, limits: { maxRequestBytes, maxFrameBytes, maxTimeoutMs, windowBytes }, send } =
      given;
    let bodyFollows = !isReplayable || (bytes?.byteLength ?? 0) > maxRequestBytes;
    let frame = encode(id, bodyFollows);
    if (bytes !== null && isLonger(frame, maxFrameBytes)) {
      bodyFollows = true;
      frame = encode(id, true);
    }
    if (isLonger(frame, maxFrameBytes)) {
      return end(new ProxyError("frame_too_large", "URL and headers are too long for a frame"));
    }
    if ((request.timeoutMs ?? 0) > maxTimeoutMs) {
      return end(new ProxyError("bad_request", `"timeoutMs" must be at most ${maxTimeoutMs}`));
    }
    send(frame);
    if (!bodyFollows || body === null || link !== given) return;
    upload = startUpload(
      bytes === null
        ? body as Source // else its bytes were there
        : new Blob([bytes]).stream().getReader(),
      {
        id,
        windowBytes,
        send,
        failed: (cause) =>
          abort(new ProxyError("connection_terminated", "The request's body failed", { cause })),
      },
    );
  }

  const sink = createSink({
    grant: (bytes) => tell("grant", bytes),
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
        if (isLast && !isOver) finish();
      } catch (cause) {
        abort(cause instanceof ProxyError ? cause : invalid(cause));
      }
    },
    fail(error): void {
      if (isOver) return;
      const { code, sent } = error;
      const isBusy = code === "too_many_in_flight" && sent === "no";
      if ((isBusy || isFarewell(error)) && maySendAgain(sent)) sendAgain(isBusy);
      else end(error);
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

function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && // at most 3 bytes each
    new TextEncoder().encode(text).byteLength > bytes;
}

function toRoughSize({ url, headers, body }: OutgoingRequest): number {
  return `${url.href}${headers}`.length + (body instanceof Uint8Array ? body.byteLength : 0);
}

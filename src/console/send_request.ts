/**
 * Sends requests through the client, and records their responses.
 *
 * @module
 */
import {
  PendingExchange,
  type ResponseMode,
  type ResponseReceiver,
} from "../client/pending_exchange.ts";
import type { ExchangeConnection, ExchangeQueue } from "../client/queued_exchange.ts";
import type { OutgoingRequest } from "../client/request.ts";
import type { ResponsePart } from "../client/server_message.ts";
import { decodeResponse, ProxyError } from "../protocol/mod.ts";
import type { DeliveryMode } from "./draft.ts";
import {
  type Failure,
  isOver,
  openBody,
  type Phase,
  type ShownExchange,
} from "./exchange_store.ts";

/** The dependencies of {@linkcode sendRequest} and its listeners. */
export interface SendDeps {
  readonly queue: ExchangeQueue;
  /** Returns milliseconds, as `performance.now()` does. */
  now(): number;
  /** Called when the exchange has got an id on the current connection, before its request is sent. */
  begun(exchange: ShownExchange, id: number): void;
  /** Called when a property of the exchange has changed. */
  changed(exchange: ShownExchange): void;
}

/** A request that was sent or is in the queue. */
export interface SentRequest {
  cancel(): void;
  /** Stops or resumes granting credit, so that the service stops or resumes sending. Affects only mode `chunks`. */
  pause(isPaused: boolean): void;
}

/** Credit in bytes that the service has at first in mode `chunks`. The client has the same default. */
const WINDOW_BYTES = 262_144;
const MAX_EVENTS = 50_000;

/** Sends a request, and updates the exchange on the page as it proceeds. */
export function sendRequest(
  shown: ShownExchange,
  request: OutgoingRequest,
  deps: SendDeps,
): SentRequest {
  const receiver = new ExchangeRecorder(shown, deps);
  const exchange = new RecordedExchange(request, receiver, {
    mode: toResponseMode(shown.draft.mode),
    queue: {
      ...deps.queue,
      resubmit(exchange, isServerBusy): void {
        receiver.requeued();
        deps.queue.resubmit(exchange, isServerBusy);
      },
    },
  });
  deps.queue.submit(exchange);
  return {
    cancel(): void {
      receiver.end("cancelled");
      exchange.abort(undefined);
    },
    pause: (isPaused) => receiver.pause(isPaused, exchange),
  };
}

/** Marks an exchange as failed whose request could not be created. */
export function failToSend(shown: ShownExchange, error: unknown, now: number): void {
  shown.phase = "failed";
  shown.moments.end = now;
  shown.failure = toFailure(error);
}

/** Reports its id, which the client does not expose. */
class RecordedExchange extends PendingExchange {
  readonly #recorder: ExchangeRecorder;

  constructor(
    request: OutgoingRequest,
    recorder: ExchangeRecorder,
    options: { readonly queue: ExchangeQueue; readonly mode: ResponseMode },
  ) {
    super(request, recorder, options);
    this.#recorder = recorder;
  }

  override begin(id: number, connection: ExchangeConnection): void {
    this.#recorder.begun(id);
    super.begin(id, connection);
  }
}

/** Updates a {@linkcode ShownExchange}. */
class ExchangeRecorder implements ResponseReceiver {
  readonly #shown: ShownExchange;
  readonly #deps: SendDeps;
  #ungrantedBytes = 0;

  constructor(shown: ShownExchange, deps: SendDeps) {
    this.#shown = shown;
    this.#deps = deps;
  }

  begun(id: number): void {
    this.#shown.phase = "waiting";
    this.#shown.moments.sent = this.#deps.now();
    this.#deps.begun(this.#shown, id);
    this.#deps.changed(this.#shown);
  }

  requeued(): void {
    Object.assign(this.#shown, { connection: undefined, id: undefined, phase: "queued" });
    this.#shown.moments.sent = undefined;
    this.#deps.changed(this.#shown);
  }

  accept(part: ResponsePart, exchange: PendingExchange): boolean {
    const isLast = this.#receive(part, exchange);
    if (isLast) this.end("done");
    else this.#deps.changed(this.#shown);
    return isLast;
  }

  fail(reason: unknown): void {
    if (isOver(this.#shown)) return;
    this.#shown.failure = toFailure(reason);
    this.end("failed");
  }

  /** Ends the exchange with this phase. Does nothing if it has ended. */
  end(phase: Phase): void {
    const shown = this.#shown;
    if (isOver(shown)) return;
    shown.moments.end = this.#deps.now();
    shown.phase = phase;
    shown.isPaused = false;
    this.#deps.changed(shown);
  }

  pause(isPaused: boolean, exchange: PendingExchange): void {
    this.#shown.isPaused = isPaused;
    this.#grant(0, exchange);
    this.#deps.changed(this.#shown);
  }

  #receive(part: ResponsePart, exchange: PendingExchange): boolean {
    const shown = this.#shown;
    const now = this.#deps.now();
    if (part.type === "response") {
      const { response, timing, streamed } = decodeResponse(part.text, part.frame);
      const { body, ...head } = response;
      Object.assign(shown, { head, timing, phase: "receiving" });
      shown.moments.head = now;
      if (body !== null) this.#append(body);
      return !streamed;
    }
    if (part.type === "chunk") {
      this.#append(part.payload);
      this.#ungrantedBytes += part.payload.byteLength;
      if (!part.fin) this.#grant(WINDOW_BYTES / 2, exchange);
      return part.fin;
    }
    if (part.type === "event") {
      const { event, data, lastEventId } = part;
      shown.receivedSize += data.length;
      shown.rate.add(data.length, now);
      if (shown.events.length < MAX_EVENTS) {
        shown.events.push({ at: now - shown.moments.start, type: event, data, lastEventId });
      } else shown.droppedEvents++;
      return false;
    }
    return true;
  }

  #append(bytes: Uint8Array): void {
    openBody(this.#shown).push(bytes);
    this.#shown.receivedSize += bytes.byteLength;
    this.#shown.rate.add(bytes.byteLength, this.#deps.now());
  }

  /** Grants credit for the bytes received since the last grant, if they are at least `minBytes`. */
  #grant(minBytes: number, exchange: PendingExchange): void {
    const bytes = this.#ungrantedBytes;
    if (this.#shown.isPaused || bytes < minBytes || bytes === 0) return;
    exchange.grant(bytes);
    this.#ungrantedBytes = 0;
  }
}

function toResponseMode(mode: DeliveryMode): ResponseMode {
  if (mode === "chunks") return { stream: true, windowBytes: WINDOW_BYTES };
  return { stream: mode === "whole" ? false : mode };
}

function toFailure(reason: unknown): Failure {
  if (reason instanceof ProxyError) {
    const { code, message, sent, retryable, retryAfterMs } = reason;
    return { code, message, sent, retryable, retryAfterMs, isRefusal: false };
  }
  const message = reason instanceof Error ? reason.message : String(reason);
  return {
    code: "bad_request",
    message,
    sent: "no",
    retryable: false,
    retryAfterMs: undefined,
    isRefusal: false,
  };
}

/**
 * Sends a request over the client's transport, in every mode that the protocol has, and writes down what comes.
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
import type { AnswerMode } from "./draft.ts";
import { type ExchangeRecord, isOver, openBody, type Phase } from "./exchanges.ts";

/** What sending needs. */
export interface SendDeps {
  readonly queue: ExchangeQueue;
  /** Milliseconds by the clock of `performance.now()`. */
  now(): number;
  /** The exchange has got an id on the connection that is open now. */
  begun(record: ExchangeRecord, id: number): void;
  /** Something about the exchange is not as it was. */
  changed(record: ExchangeRecord): void;
}

/** An exchange that was sent. */
export interface Sending {
  cancel(): void;
  /** Gives the service no more credit, or again. Only a body in chunks can be paused. */
  pause(isPaused: boolean): void;
}

/** Credit in bytes that a body in chunks starts with; what the client has by default. */
const WINDOW_BYTES = 262_144;
const MAX_EVENTS = 50_000;

/** Sends a request. */
export function send(
  record: ExchangeRecord,
  request: OutgoingRequest,
  deps: SendDeps,
): Sending {
  const { queue, now, begun, changed } = deps;
  const { moments } = record;
  const receiver = new RecordReceiver(record, deps);
  const exchange = new RecordedExchange(request, receiver, {
    mode: toResponseMode(record.draft.mode),
    queue: {
      ...queue,
      resubmit(exchange, isServerBusy): void {
        Object.assign(record, { connection: undefined, id: undefined, phase: "queued" });
        moments.sent = undefined;
        changed(record);
        queue.resubmit(exchange, isServerBusy);
      },
    },
  });
  exchange.beforeBegin = (id) => {
    record.phase = "waiting";
    moments.sent = now();
    begun(record, id);
    changed(record);
  };
  queue.submit(exchange);
  return {
    cancel(): void {
      receiver.end("cancelled");
      exchange.abort(undefined);
    },
    pause: (isPaused) => receiver.pause(isPaused, exchange),
  };
}

/** Fails an exchange that could not be sent at all. */
export function failToSend(record: ExchangeRecord, error: unknown, now: number): void {
  record.phase = "failed";
  record.moments.end = now;
  record.failure = toFailure(error);
}

/** Tells its id, which the client keeps to itself. */
class RecordedExchange extends PendingExchange {
  beforeBegin = (_id: number): void => {};

  override begin(id: number, connection: ExchangeConnection): void {
    this.beforeBegin(id);
    super.begin(id, connection);
  }
}

/** Writes a response into the record of its exchange. */
class RecordReceiver implements ResponseReceiver {
  readonly #record: ExchangeRecord;
  readonly #deps: SendDeps;
  #takenBytes = 0;

  constructor(record: ExchangeRecord, deps: SendDeps) {
    this.#record = record;
    this.#deps = deps;
  }

  accept(part: ResponsePart, exchange: PendingExchange): boolean {
    const isLast = this.#take(part, exchange);
    if (isLast) this.end("done");
    else this.#deps.changed(this.#record);
    return isLast;
  }

  fail(reason: unknown): void {
    if (isOver(this.#record)) return;
    this.#record.failure = toFailure(reason);
    this.end("failed");
  }

  /** Ends the record in this phase. Does nothing when it has ended. */
  end(phase: Phase): void {
    const record = this.#record;
    if (isOver(record)) return;
    record.moments.end = this.#deps.now();
    record.phase = phase;
    record.isPaused = false;
    this.#deps.changed(record);
  }

  pause(isPaused: boolean, exchange: PendingExchange): void {
    this.#record.isPaused = isPaused;
    this.#grant(0, exchange);
    this.#deps.changed(this.#record);
  }

  #take(part: ResponsePart, exchange: PendingExchange): boolean {
    const record = this.#record;
    const now = this.#deps.now();
    if (part.type === "response") {
      const { response, timing, streamed } = decodeResponse(part.text, part.frame);
      const { body, ...head } = response;
      Object.assign(record, { head, timing, phase: "receiving" });
      record.moments.head = now;
      if (body !== null) this.#append(body);
      return !streamed;
    }
    if (part.type === "chunk") {
      this.#append(part.payload);
      this.#takenBytes += part.payload.byteLength;
      if (!part.fin) this.#grant(WINDOW_BYTES / 2, exchange);
      return part.fin;
    }
    if (part.type === "event") {
      const { event, data, lastEventId } = part;
      record.receivedSize += data.length;
      record.rate.add(data.length, now);
      if (record.events.length < MAX_EVENTS) {
        record.events.push({ at: now - record.moments.start, type: event, data, lastEventId });
      } else record.droppedEvents++;
      return false;
    }
    return true;
  }

  #append(bytes: Uint8Array): void {
    const record = this.#record;
    openBody(record).push(bytes);
    record.receivedSize += bytes.byteLength;
    record.rate.add(bytes.byteLength, this.#deps.now());
  }

  /** Grants credit for the bytes that were taken, if they are at least `minBytes`. */
  #grant(minBytes: number, exchange: PendingExchange): void {
    if (this.#record.isPaused || this.#takenBytes < minBytes || this.#takenBytes === 0) return;
    exchange.grant(this.#takenBytes);
    this.#takenBytes = 0;
  }
}

function toResponseMode(mode: AnswerMode): ResponseMode {
  if (mode === "chunks") return { stream: true, windowBytes: WINDOW_BYTES };
  return { stream: mode === "whole" ? false : mode };
}

function toFailure(reason: unknown): NonNullable<ExchangeRecord["failure"]> {
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

/**
 * One exchange: an HTTP request that a client has asked for, how far it has come, and how it is ended early.
 *
 * @module
 */
import { withSentOf } from "../http/sent.ts";
import type { ConnectTimes, TransportObserver } from "../http/transport.ts";
import type { MemoryHold } from "../limits/memory_account.ts";
import type { ProxyError, ProxyRequest, Sent } from "../protocol/mod.ts";
import { timedOut } from "./errors.ts";
import type { Place } from "./pace.ts";
import {
  type Caller,
  createRecord,
  type ExchangeNumber,
  type ExchangeRecord,
  toLoggedRequest,
} from "./record.ts";
import { type Stage, STAGES } from "./stage.ts";
import type { Deadline, DeadlineOwner, Wheel } from "./wheel.ts";

/** The request of an exchange, and its number. */
export interface ExchangeInit extends ExchangeNumber {
  readonly request: ProxyRequest;
}

/** One request and its response. It knows neither a socket nor a frame. */
export class Exchange implements DeadlineOwner, TransportObserver {
  readonly caller: Caller;
  /** Replaced once when the exchange is traced: the trace's own header fields are left out. */
  request: ProxyRequest;
  /** The body when it arrives in pieces; `undefined` when the request holds all of it. Set before the exchange runs. */
  upload: ReadableStream<Uint8Array<ArrayBuffer>> | undefined = undefined;
  /** The memory that the exchange keeps; `undefined` where none is counted. Set before the exchange runs. */
  memory: MemoryHold | undefined = undefined;
  /** The record for the log, filled in as the exchange goes on. */
  readonly record: ExchangeRecord;
  /** How far the exchange has come, and so what the destination may have seen. */
  stage: Stage = "limit";
  /** By the clock's `now()`. */
  readonly startedAt: number;
  /** Milliseconds from the request frame until the request could be made. */
  queueMs = 0;
  /** Milliseconds that name lookups took; `undefined` when no name was looked up. */
  dnsMs: number | undefined = undefined;
  /** Milliseconds from the request frame to the response head. */
  waitMs = 0;
  /** Whether the client has cancelled the exchange, and wants no response. */
  isCancelled = false;
  /** The place of the exchange, held or waited for; `undefined` before it enters the pace. */
  place: Place | undefined = undefined;
  readonly #wheel: Wheel;
  readonly #controller = new AbortController();
  #deadline: Deadline | undefined = undefined;
  #timeoutMs = 0;

  constructor(init: ExchangeInit, caller: Caller, wheel: Wheel) {
    const { request } = init;
    this.caller = caller;
    this.request = request;
    this.record = createRecord(caller, init, toLoggedRequest(request));
    this.startedAt = wheel.now();
    this.#wheel = wheel;
  }

  /** Aborted when the exchange has to end early; the reason is the error to send. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the destination may have acted on the request, as far as the stage tells. */
  get sent(): Sent {
    return STAGES[this.stage].sent;
  }

  /** Ends the exchange with an error, whose `sent` becomes at least what the stage says. */
  fail(error: ProxyError): void {
    this.#abort(withSentOf(this.sent, error, this.request.method));
  }

  /** Ends the exchange without an error: the client wants no response. */
  cancel(): void {
    // The signal does not show this: a deadline may have aborted the exchange just before.
    this.isCancelled = true;
    this.#abort(undefined);
  }

  /**
   * Sets the time that the exchange has from here on, in place of the time before.
   *
   * @param timeoutMs The time that the error names when the deadline has passed.
   * @param delayMs Milliseconds until then.
   * @param from The clock's `now()` if it was just read.
   */
  setDeadline(timeoutMs: number, delayMs = timeoutMs, from?: number): void {
    this.clearDeadline();
    this.#timeoutMs = timeoutMs;
    this.#deadline = this.#wheel.set(delayMs, this, from);
  }

  clearDeadline(): void {
    if (this.#deadline === undefined) return;
    this.#wheel.clear(this.#deadline);
    this.#deadline = undefined;
  }

  /** To be called when the destination has taken a part of the upload: the response gets its whole time again. */
  uploadTaken(): void {
    const isSending = this.stage === "lookup" || this.stage === "head";
    if (isSending && this.#deadline !== undefined) this.setDeadline(this.#timeoutMs);
  }

  /** Called by the transport: nothing of the request is sent until {@linkcode sending}. */
  connecting(): void {
    this.stage = "connect";
  }

  /** Called by the transport when it is about to send the request. */
  sending(times: ConnectTimes | undefined): void {
    this.stage = "head";
    if (times === undefined) return;
    const { record } = this;
    record.connectMs = roundMs((record.connectMs ?? 0) + times.connectMs);
    if (times.tlsMs !== undefined) record.tlsMs = roundMs((record.tlsMs ?? 0) + times.tlsMs);
  }

  /** Called by the wheel when the deadline has passed. */
  deadlinePassed(): void {
    this.#abort(timedOut(this.stage, this.#timeoutMs, this.request.method));
  }

  /** Returns milliseconds of a clock that never goes back. */
  now(): number {
    return this.#wheel.now();
  }

  /** Returns milliseconds since the request frame, to the microsecond. */
  elapsedMs(now = this.#wheel.now()): number {
    return roundMs(now - this.startedAt);
  }

  #abort(reason: ProxyError | undefined): void {
    this.#controller.abort(reason);
    this.place?.giveUp();
    this.memory?.abort(this.signal.reason);
  }
}

/** Rounds milliseconds to the microsecond. */
export function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

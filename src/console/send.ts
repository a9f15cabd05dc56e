/**
 * Sends a request over the client's transport, in every mode that the protocol has, and writes down what comes.
 *
 * @module
 */
import { createExchange, type Exchange, type Mode } from "../client/exchange.ts";
import type { Answer } from "../client/inbound.ts";
import type { OutgoingRequest } from "../client/request.ts";
import type { Control, Sink } from "../client/sink.ts";
import type { Transport } from "../client/transport.ts";
import { decodeResponse, ProxyError } from "../protocol/mod.ts";
import type { AnswerMode } from "./draft.ts";
import { type ExchangeRecord, isOver, openBody, type Phase } from "./exchanges.ts";

/** What sending needs. */
export interface SendDeps {
  readonly transport: Pick<Transport, "submit" | "resubmit" | "withdraw">;
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
  { transport, now, begun, changed }: SendDeps,
): Sending {
  const { moments } = record;
  const { exchange, sink } = createExchange(request, toMode(record.draft.mode), {
    createSink: (control) => createRecordSink(record, { control, now, changed, ended }),
    resubmit(_, delayed): void {
      Object.assign(record, { connection: undefined, id: undefined, phase: "queued" });
      moments.sent = undefined;
      changed(record);
      transport.resubmit(watched, delayed);
    },
    withdraw: () => transport.withdraw(watched),
  });
  // The client keeps ids to itself.
  const watched: Exchange = {
    ...exchange,
    begin(link): void {
      record.phase = "waiting";
      moments.sent = now();
      begun(record, link.id);
      exchange.begin(link);
      changed(record);
    },
  };

  function ended(phase: Phase): void {
    if (isOver(record)) return;
    moments.end = now();
    record.phase = phase;
    record.isPaused = false;
    changed(record);
  }

  transport.submit(watched);
  return {
    cancel(): void {
      ended("cancelled");
      exchange.abort(undefined);
    },
    pause: sink.pause,
  };
}

/** Fails an exchange that could not be sent at all. */
export function failToSend(record: ExchangeRecord, error: unknown, now: number): void {
  record.phase = "failed";
  record.moments.end = now;
  record.failure = toFailure(error);
}

interface RecordSink extends Sink {
  pause(isPaused: boolean): void;
}

interface RecordSinkDeps extends Pick<SendDeps, "now" | "changed"> {
  readonly control: Control;
  ended(phase: Phase): void;
}

function createRecordSink(
  record: ExchangeRecord,
  { control, now, changed, ended }: RecordSinkDeps,
): RecordSink {
  let takenBytes = 0;

  /** In batches of half a window, as the client does. */
  function grant(least: number): void {
    if (record.isPaused || takenBytes < least || takenBytes === 0) return;
    control.grant(takenBytes);
    takenBytes = 0;
  }

  function take(bytes: Uint8Array): void {
    openBody(record).push(bytes);
    record.receivedSize += bytes.byteLength;
    record.rate.add(bytes.byteLength, now());
  }

  function accept(answer: Answer): boolean {
    if (answer.type === "response") {
      const { response, timing, streamed } = decodeResponse(answer.text, answer.frame);
      const { body, ...head } = response;
      Object.assign(record, { head, timing, phase: "receiving" });
      record.moments.head = now();
      if (body !== null) take(body);
      return !streamed;
    }
    if (answer.type === "chunk") {
      take(answer.payload);
      takenBytes += answer.payload.byteLength;
      if (!answer.fin) grant(WINDOW_BYTES / 2);
      return answer.fin;
    }
    if (answer.type === "event") {
      const { event, data, lastEventId } = answer;
      const at = now() - record.moments.start;
      record.receivedSize += data.length;
      record.rate.add(data.length, now());
      if (record.events.length < MAX_EVENTS) {
        record.events.push({ at, type: event, data, lastEventId });
      } else record.droppedEvents++;
      return false;
    }
    return true;
  }

  return {
    accept(answer): boolean {
      const isLast = accept(answer);
      if (isLast) ended("done");
      else changed(record);
      return isLast;
    },
    fail(reason): void {
      if (isOver(record)) return;
      record.failure = toFailure(reason);
      ended("failed");
    },
    pause(isPaused): void {
      record.isPaused = isPaused;
      grant(0);
      changed(record);
    },
  };
}

function toMode(mode: AnswerMode): Mode {
  if (mode === "chunks") return { stream: true, windowBytes: WINDOW_BYTES };
  // The client's own API has no use for these two; its exchanges pass on what they are told.
  const stream: boolean | string = mode === "whole" ? false : mode;
  return { stream } as Mode;
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

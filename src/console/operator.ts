/**
 * Sends requests for the page and knows which frame belongs to which exchange.
 *
 * @module
 */
import { type BodyFile, type Draft, toRequest } from "./draft.ts";
import { describeOutcome, type ExchangeRecord, type Exchanges, isOver } from "./exchanges.ts";
import { createFlowMeter } from "./flow.ts";
import { formatBytes, formatMs } from "./format.ts";
import type { Direction, FrameLog, LoggedFrame, Message } from "./frame_log.ts";
import type { History } from "./history.ts";
import { failToSend, send, type Sending } from "./send.ts";
import type { Session } from "./session.ts";

/** Sends requests. */
export interface Operator {
  /** Sends a draft so many times at once; gives the first exchange. */
  send(draft: Draft, options: SendOptions): ExchangeRecord;
  cancel(record: ExchangeRecord): void;
  cancelAll(): void;
  pause(record: ExchangeRecord, isPaused: boolean): void;
  /** Takes a frame of a connection. */
  frame(connection: number, direction: Direction, message: Message): void;
  /** Gives the frames of an exchange that are still known. */
  framesOf(record: ExchangeRecord): readonly LoggedFrame[];
}

/** How a draft is sent. */
export interface SendOptions {
  readonly file: BodyFile | undefined;
  readonly times: number;
}

/** What an operator works with. */
export interface OperatorDeps {
  readonly session: Session;
  readonly exchanges: Exchanges;
  readonly history: History;
  readonly log: FrameLog;
  /** Milliseconds by the clock of `performance.now()`. */
  now(): number;
  /** Tells somebody who does not see the page. */
  announce(text: string): void;
  changed(): void;
}

/** Creates an {@linkcode Operator}. */
export function createOperator(
  { session, exchanges, history, log, now, announce, changed }: OperatorDeps,
): Operator {
  const sendings = new Map<ExchangeRecord, Sending>();
  const byPlace = new Map<string, ExchangeRecord>();
  let cached: {
    readonly record: ExchangeRecord;
    readonly newest: number;
    readonly frames: readonly LoggedFrame[];
  } | undefined;

  function begun(record: ExchangeRecord, id: number): void {
    record.connection = session.connection;
    record.id = id;
    record.flow = createFlowMeter(session.hello?.limits.windowBytes);
    byPlace.set(toPlace(record.connection, id), record);
  }

  function ended(record: ExchangeRecord, isFirst: boolean): void {
    const { verdict } = session;
    const { failure } = record;
    if (failure?.sent === "no" && verdict?.type === "refused" && record.connection === undefined) {
      const { code, message } = verdict;
      record.failure = { ...failure, code, message, retryable: false, isRefusal: true };
    }
    sendings.delete(record);
    if (record.connection !== undefined && record.id !== undefined) {
      byPlace.delete(toPlace(record.connection, record.id));
    }
    exchanges.ended(record);
    if (!isFirst) return;
    history.add(
      { draft: record.draft, at: record.startedAt, outcome: describeOutcome(record) },
      session.secrets,
    );
    announce(toSentence(record));
  }

  async function sendOne(
    record: ExchangeRecord,
    file: BodyFile | undefined,
    isFirst: boolean,
  ): Promise<void> {
    let hasEnded = false;
    try {
      const request = await toRequest(record.draft, file);
      if (isOver(record)) return;
      const sending = send(record, request, {
        queue: session.queue,
        now,
        begun,
        changed(): void {
          if (isOver(record) && !hasEnded) {
            hasEnded = true;
            ended(record, isFirst);
          }
          changed();
        },
      });
      if (!isOver(record)) sendings.set(record, sending);
    } catch (error) {
      failToSend(record, error, now());
      ended(record, isFirst);
      changed();
    }
  }

  function cancel(record: ExchangeRecord): void {
    sendings.get(record)?.cancel();
  }

  return {
    send(draft, { file, times }): ExchangeRecord {
      const records = Array.from({ length: times }, () => exchanges.add(draft));
      const [first = exchanges.add(draft)] = records;
      for (const record of records) void sendOne(record, file, record === first);
      return first;
    },
    cancel,
    cancelAll: () => [...sendings.keys()].forEach(cancel),
    pause: (record, isPaused) => sendings.get(record)?.pause(isPaused),
    frame(connection, direction, message): void {
      const frame = log.add(connection, direction, message);
      if (frame.id === undefined) return changed();
      const place = toPlace(connection, frame.id);
      const record = byPlace.get(place);
      record?.flow?.add(frame);
      changed();
    },
    framesOf(record): readonly LoggedFrame[] {
      const newest = log.frames.at(-1)?.key ?? -1;
      if (cached?.record === record && cached.newest === newest) return cached.frames;
      const { connection, id } = record;
      const frames = connection === undefined
        ? []
        : log.frames.filter((frame) => frame.id === id && frame.connection === connection);
      cached = { record, newest, frames };
      return frames;
    },
  };
}

function toPlace(connection: number, id: number): string {
  return `${connection}:${id}`;
}

function toSentence(record: ExchangeRecord): string {
  const { draft, head, failure, receivedSize, moments, phase } = record;
  const time = formatMs((moments.end ?? moments.start) - moments.start);
  if (failure !== undefined) return `${draft.method} failed: ${failure.code}, ${failure.message}`;
  if (phase === "cancelled") return `${draft.method} cancelled`;
  return `${draft.method} ${head?.status ?? ""} in ${time}, ${formatBytes(receivedSize)}`;
}

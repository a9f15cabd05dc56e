/**
 * The exchanges of this page: what was asked, what has come, and when.
 *
 * @module
 */
import type { HeaderPairs, ResponseHead, Sent, Timing } from "../protocol/mod.ts";
import { type BodyStore, createBodyStore } from "./body_store.ts";
import { type Draft, toTarget } from "./draft.ts";
import type { FlowMeter } from "./flow.ts";
import { createRate, type Rate } from "./rate.ts";

/** How far an exchange is. */
export type Phase = "queued" | "waiting" | "receiving" | "done" | "failed" | "cancelled";

/** Why an exchange has failed. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly sent: Sent;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  /** The handshake was refused: the exchange has never begun. */
  readonly isRefusal: boolean;
}

/** A server-sent event or a line. */
export interface ReceivedEvent {
  /** Milliseconds since the exchange began. */
  readonly at: number;
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string | undefined;
}

/** When things happened, in milliseconds by the clock of `performance.now()`. */
export interface Moments {
  readonly start: number;
  sent: number | undefined;
  head: number | undefined;
  end: number | undefined;
}

/** An exchange; changes as it goes on. */
export interface ExchangeRecord {
  /** Counts all exchanges of the page. */
  readonly key: number;
  readonly draft: Draft;
  readonly target: string;
  /** When it began, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly moments: Moments;
  phase: Phase;
  /** Counts the page's connections; `undefined`: it is on none yet. */
  connection: number | undefined;
  id: number | undefined;
  head: ResponseHead | undefined;
  timing: Timing | undefined;
  failure: Failure | undefined;
  /** `undefined`: there is none, or it comes in events. */
  body: BodyStore | undefined;
  readonly events: ReceivedEvent[];
  /** Events that came and were not kept. */
  droppedEvents: number;
  /** Bytes of the body, or characters of events. */
  receivedSize: number;
  readonly rate: Rate;
  flow: FlowMeter | undefined;
  isPaused: boolean;
}

/** Keeps exchanges. */
export interface Exchanges {
  /** Oldest first. */
  readonly records: readonly ExchangeRecord[];
  readonly inFlight: number;
  add(draft: Draft): ExchangeRecord;
  /** Has to be told when an exchange has ended: memory has an end too. */
  ended(record: ExchangeRecord): void;
  /** Forgets those that have ended. */
  clear(): void;
}

/** How much is kept. */
export interface ExchangesOptions {
  readonly maxRecords?: number;
  /** Of bodies, in bytes. */
  readonly maxBodyBytes?: number;
}

/** What exchanges are dated with. */
export interface ExchangesDeps {
  /** Milliseconds by the clock of `performance.now()`. */
  now(): number;
  /** Milliseconds since 1970. */
  date(): number;
}

/** Creates an {@linkcode Exchanges}. */
export function createExchanges(
  { maxRecords = 20_000, maxBodyBytes = 134_217_728 }: ExchangesOptions,
  { now, date }: ExchangesDeps,
): Exchanges {
  let records: ExchangeRecord[] = [];
  let next = 1;
  let bodyBytes = 0;
  /** Those whose bodies are kept, oldest first. */
  let kept: { readonly record: ExchangeRecord; readonly bytes: number }[] = [];

  return {
    get records(): readonly ExchangeRecord[] {
      return records;
    },
    get inFlight(): number {
      return records.reduce((count, record) => count + (isOver(record) ? 0 : 1), 0);
    },
    add(draft): ExchangeRecord {
      const record = createRecord(next++, draft, { now, date });
      if (records.length >= maxRecords) {
        const old = records.filter(isOver).slice(0, Math.ceil(maxRecords / 10));
        const gone = new Set(old);
        records = records.filter((other) => !gone.has(other));
      }
      records.push(record);
      return record;
    },
    ended(record): void {
      const bytes = record.body?.bytes ?? 0;
      if (bytes === 0) return;
      kept.push({ record, bytes });
      bodyBytes += bytes;
      while (bodyBytes > maxBodyBytes && kept.length > 1) {
        const oldest = kept.shift();
        oldest?.record.body?.release();
        bodyBytes -= oldest?.bytes ?? 0;
      }
    },
    clear(): void {
      records = records.filter((record) => !isOver(record));
      kept = [];
      bodyBytes = 0;
    },
  };
}

/** Says whether nothing more will happen. */
export function isOver({ phase }: Pick<ExchangeRecord, "phase">): boolean {
  return phase === "done" || phase === "failed" || phase === "cancelled";
}

/** Gives the response's headers, none before they have come. */
export function headersOf({ head }: Pick<ExchangeRecord, "head">): HeaderPairs {
  return head?.headers ?? [];
}

/** Gives how an exchange has ended, or how far it is, in a word. */
export function describeOutcome({ phase, head, failure }: ExchangeRecord): string {
  if (failure !== undefined && phase === "failed") return failure.code;
  if (phase === "cancelled") return "cancelled";
  return head === undefined ? phase : String(head.status);
}

function createRecord(key: number, draft: Draft, { now, date }: ExchangesDeps): ExchangeRecord {
  return {
    key,
    draft,
    target: toTarget(draft),
    startedAt: date(),
    moments: { start: now(), sent: undefined, head: undefined, end: undefined },
    phase: "queued",
    connection: undefined,
    id: undefined,
    head: undefined,
    timing: undefined,
    failure: undefined,
    body: undefined,
    events: [],
    droppedEvents: 0,
    receivedSize: 0,
    rate: createRate(),
    flow: undefined,
    isPaused: false,
  };
}

/** Makes room for a body. */
export function openBody(record: ExchangeRecord): BodyStore {
  return record.body ??= createBodyStore();
}

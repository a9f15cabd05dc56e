/**
 * The exchanges of the page: their requests, responses and times.
 *
 * @module
 */
import type { HeaderPairs, ResponseHead, Sent, Timing } from "../protocol/mod.ts";
import { type BodyStore, createBodyStore } from "./body_store.ts";
import type { CreditMeter } from "./credit_meter.ts";
import { type Draft, toTarget } from "./draft.ts";
import { createRateMeter, type RateMeter } from "./rate_meter.ts";

/** The progress of an exchange. */
export type Phase = "queued" | "waiting" | "receiving" | "done" | "failed" | "cancelled";

/** Why an exchange has failed. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly sent: Sent;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  /** The exchange has not begun because the handshake was refused; `code` is that of the refusal. */
  readonly isRefusal: boolean;
}

/** A server-sent event or a line. */
export interface ReceivedEvent {
  /** Milliseconds since the start of the exchange. */
  readonly at: number;
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string | undefined;
}

/** The times of an exchange, in milliseconds, as `performance.now()` returns them. */
export interface Moments {
  readonly start: number;
  sent: number | undefined;
  head: number | undefined;
  end: number | undefined;
}

/** An exchange on the page. Its properties change as it proceeds. */
export interface ShownExchange {
  /** Unique on the page; counts up. */
  readonly key: number;
  readonly draft: Draft;
  readonly target: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly moments: Moments;
  phase: Phase;
  /** The number of the connection; `undefined` before the exchange has begun. */
  connection: number | undefined;
  id: number | undefined;
  head: ResponseHead | undefined;
  timing: Timing | undefined;
  failure: Failure | undefined;
  /** `undefined` if there is no body, or if it arrives as events. */
  body: BodyStore | undefined;
  readonly events: ReceivedEvent[];
  /** How many events were received but not stored. */
  droppedEvents: number;
  /** Bytes of the body, or characters of the events. */
  receivedSize: number;
  readonly rate: RateMeter;
  creditMeter: CreditMeter | undefined;
  isPaused: boolean;
}

/** Stores exchanges. */
export interface ExchangeStore {
  /** All stored exchanges, oldest first. */
  readonly exchanges: readonly ShownExchange[];
  readonly inFlight: number;
  add(draft: Draft): ShownExchange;
  /** Must be called when an exchange has ended. Releases old bodies if the bodies take too much memory. */
  ended(exchange: ShownExchange): void;
  /** Removes the exchanges that have ended. */
  clear(): void;
}

/** Creates an {@linkcode ExchangeStore}. */
export function createExchangeStore({
  maxExchanges = 20_000,
  maxBodyBytes = 134_217_728,
  now,
  epochMs,
}: {
  readonly maxExchanges?: number;
  /** The sum of all bodies. */
  readonly maxBodyBytes?: number;
  /** Returns milliseconds, as `performance.now()` does. */
  now(): number;
  /** Returns milliseconds since the epoch. */
  epochMs(): number;
}): ExchangeStore {
  let exchanges: ShownExchange[] = [];
  let nextKey = 1;
  let bodyBytes = 0;
  /** The exchanges with a stored body, oldest first. */
  let withBody: { readonly exchange: ShownExchange; readonly bytes: number }[] = [];

  return {
    get exchanges(): readonly ShownExchange[] {
      return exchanges;
    },
    get inFlight(): number {
      return exchanges.reduce((count, exchange) => count + (isOver(exchange) ? 0 : 1), 0);
    },
    add(draft): ShownExchange {
      const exchange = createShownExchange(nextKey++, draft, { now: now(), startedAt: epochMs() });
      if (exchanges.length >= maxExchanges) {
        const old = exchanges.filter(isOver).slice(0, Math.ceil(maxExchanges / 10));
        const removed = new Set(old);
        exchanges = exchanges.filter((other) => !removed.has(other));
      }
      exchanges.push(exchange);
      return exchange;
    },
    ended(exchange): void {
      const bytes = exchange.body?.bytes ?? 0;
      if (bytes === 0) return;
      withBody.push({ exchange, bytes });
      bodyBytes += bytes;
      while (bodyBytes > maxBodyBytes && withBody.length > 1) {
        const oldest = withBody.shift();
        oldest?.exchange.body?.release();
        bodyBytes -= oldest?.bytes ?? 0;
      }
    },
    clear(): void {
      exchanges = exchanges.filter((exchange) => !isOver(exchange));
      withBody = [];
      bodyBytes = 0;
    },
  };
}

/** Returns whether the exchange has ended. */
export function isOver({ phase }: ShownExchange): boolean {
  return phase === "done" || phase === "failed" || phase === "cancelled";
}

/** Returns the headers of the response, an empty list before they have arrived. */
export function headersOf({ head }: ShownExchange): HeaderPairs {
  return head?.headers ?? [];
}

/** Returns the status, the code of the failure, or the phase. */
export function describeOutcome({ phase, head, failure }: ShownExchange): string {
  if (failure !== undefined && phase === "failed") return failure.code;
  if (phase === "cancelled") return "cancelled";
  return head === undefined ? phase : String(head.status);
}

/** Returns the class of the colour that tells how an exchange goes. */
export function toneOf({ head, failure }: ShownExchange): "bad" | "idle" | "warn" | "good" {
  if (failure !== undefined) return "bad";
  if (head === undefined) return "idle";
  return head.status >= 400 ? "warn" : "good";
}

/** Returns the store of the body, which is created on the first call. */
export function openBody(exchange: ShownExchange): BodyStore {
  return exchange.body ??= createBodyStore();
}

function createShownExchange(
  key: number,
  draft: Draft,
  { now, startedAt }: { readonly now: number; readonly startedAt: number },
): ShownExchange {
  return {
    key,
    draft,
    target: toTarget(draft),
    startedAt,
    moments: { start: now, sent: undefined, head: undefined, end: undefined },
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
    rate: createRateMeter(),
    creditMeter: undefined,
    isPaused: false,
  };
}

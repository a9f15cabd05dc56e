/**
 * Sends and cancels requests for the page, and assigns frames to their exchanges.
 *
 * @module
 */
import { createCreditMeter } from "./credit_meter.ts";
import { type BodyFile, type Draft, toRequest } from "./draft.ts";
import {
  describeOutcome,
  type ExchangeStore,
  isOver,
  type ShownExchange,
} from "./exchange_store.ts";
import { formatBytes, formatMs } from "./format.ts";
import type { Direction, FrameData, FrameLog, LoggedFrame } from "./frame_log.ts";
import type { History } from "./history.ts";
import { failToSend, sendRequest, type SentRequest } from "./send_request.ts";
import type { Session } from "./session.ts";

/** Sends and cancels requests. */
export interface ExchangeController {
  /** Sends a draft `times` times at once. Returns the first exchange. */
  send(
    draft: Draft,
    options: { readonly file: BodyFile | undefined; readonly times: number },
  ): ShownExchange;
  cancel(exchange: ShownExchange): void;
  cancelAll(): void;
  pause(exchange: ShownExchange, isPaused: boolean): void;
  /** Logs a frame of a connection. */
  frame(connection: number, direction: Direction, data: FrameData): void;
  /** Returns the frames of an exchange that are still in the log. */
  framesOf(exchange: ShownExchange): readonly LoggedFrame[];
}

/** Creates an {@linkcode ExchangeController}. */
export function createExchangeController(
  { session, store, history, log, now, announce, changed }: {
    readonly session: Session;
    readonly store: ExchangeStore;
    readonly history: History;
    readonly log: FrameLog;
    /** Returns milliseconds, as `performance.now()` does. */
    now(): number;
    /** Called with texts for screen readers. */
    announce(text: string): void;
    /** Called when an exchange or the log has changed. */
    changed(): void;
  },
): ExchangeController {
  const sentRequests = new Map<ShownExchange, SentRequest>();
  const byFrameKey = new Map<string, ShownExchange>();
  let cached: {
    readonly exchange: ShownExchange;
    readonly newest: number;
    readonly frames: readonly LoggedFrame[];
  } | undefined;

  function begun(exchange: ShownExchange, id: number): void {
    exchange.connection = session.connection;
    exchange.id = id;
    exchange.creditMeter = createCreditMeter(session.hello?.limits.windowBytes);
    byFrameKey.set(toFrameKey(exchange.connection, id), exchange);
  }

  function ended(exchange: ShownExchange, isFirst: boolean): void {
    const { handshakeOutcome } = session;
    const { failure, connection, id } = exchange;
    if (
      failure?.sent === "no" && handshakeOutcome?.type === "refused" && connection === undefined
    ) {
      const { code, message } = handshakeOutcome;
      exchange.failure = { ...failure, code, message, retryable: false, isRefusal: true };
    }
    sentRequests.delete(exchange);
    if (connection !== undefined && id !== undefined) {
      byFrameKey.delete(toFrameKey(connection, id));
    }
    store.ended(exchange);
    if (!isFirst) return;
    history.add(
      { draft: exchange.draft, at: exchange.startedAt, outcome: describeOutcome(exchange) },
      session.secrets,
    );
    announce(toSentence(exchange));
  }

  async function sendOne(
    exchange: ShownExchange,
    file: BodyFile | undefined,
    isFirst: boolean,
  ): Promise<void> {
    let hasEnded = false;
    try {
      const request = await toRequest(exchange.draft, file);
      if (isOver(exchange)) return;
      const sentRequest = sendRequest(exchange, request, {
        queue: session.queue,
        now,
        begun,
        changed(): void {
          if (isOver(exchange) && !hasEnded) {
            hasEnded = true;
            ended(exchange, isFirst);
          }
          changed();
        },
      });
      if (!isOver(exchange)) sentRequests.set(exchange, sentRequest);
    } catch (error) {
      failToSend(exchange, error, now());
      ended(exchange, isFirst);
      changed();
    }
  }

  function cancel(exchange: ShownExchange): void {
    sentRequests.get(exchange)?.cancel();
  }

  return {
    send(draft, { file, times }): ShownExchange {
      const exchanges = Array.from({ length: times }, () => store.add(draft));
      const [first = store.add(draft)] = exchanges;
      for (const exchange of exchanges) void sendOne(exchange, file, exchange === first);
      return first;
    },
    cancel,
    cancelAll: () => [...sentRequests.keys()].forEach(cancel),
    pause: (exchange, isPaused) => sentRequests.get(exchange)?.pause(isPaused),
    frame(connection, direction, data): void {
      const frame = log.add(connection, direction, data);
      if (frame.id !== undefined) {
        byFrameKey.get(toFrameKey(connection, frame.id))?.creditMeter?.add(frame);
      }
      changed();
    },
    framesOf(exchange): readonly LoggedFrame[] {
      const newest = log.frames.at(-1)?.key ?? -1;
      if (cached?.exchange === exchange && cached.newest === newest) return cached.frames;
      const { connection, id } = exchange;
      const frames = connection === undefined
        ? []
        : log.frames.filter((frame) => frame.id === id && frame.connection === connection);
      cached = { exchange, newest, frames };
      return frames;
    },
  };
}

/** Returns the key that the frames of an exchange have in common. */
function toFrameKey(connection: number, id: number): string {
  return `${connection}:${id}`;
}

function toSentence(exchange: ShownExchange): string {
  const { draft, head, failure, receivedSize, moments, phase } = exchange;
  const time = formatMs((moments.end ?? moments.start) - moments.start);
  if (failure !== undefined) return `${draft.method} failed: ${failure.code}, ${failure.message}`;
  if (phase === "cancelled") return `${draft.method} cancelled`;
  return `${draft.method} ${head?.status ?? ""} in ${time}, ${formatBytes(receivedSize)}`;
}

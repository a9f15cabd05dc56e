/**
 * Puts exchanges on a connection: connects when an exchange needs it, and reconnects when the connection is lost.
 *
 * @module
 */
import type { ClientOptions } from "./options.ts";
import type { ConnectionLoss, ExchangeQueue, QueuedExchange } from "./queued_exchange.ts";
import { isFinalCloseCode, toReconnectDelayMs } from "./reconnection.ts";
import {
  type ConnectionClosure,
  createServiceConnection,
  type ServiceConnection,
} from "./service_connection.ts";
import type { ClientWebSocket } from "./socket.ts";
import type { ClientStateHolder } from "./state.ts";
import type { ClientTimers } from "./timers.ts";

/** The queue of a client, together with its connections. */
export interface Dispatcher extends ExchangeQueue {
  /** Fails all exchanges, and those submitted later. Fulfils when the connections have closed. */
  close(): Promise<void>;
}

const CLOSED: ConnectionLoss = {
  message: "The client is closed",
  maySendAgain: false,
  isRetryable: false,
};

/** Creates a {@linkcode Dispatcher} that has no connection yet. */
export function createDispatcher(
  { backoff = {}, ...options }: ClientOptions,
  { open, timers, random, state, firstId }: {
    open(): Promise<ClientWebSocket>;
    readonly timers: ClientTimers;
    /** Returns a number from 0 to less than 1. */
    random(): number;
    readonly state: ClientStateHolder;
    readonly firstId?: number | undefined;
  },
): Dispatcher {
  const connections = new Set<ServiceConnection>();
  const queue: QueuedExchange[] = [];
  /** The connection that new exchanges use. */
  let current: ServiceConnection | undefined;
  let reconnectTimer: unknown;
  let pauseTimer: unknown;
  let reconnectAt = -Infinity;
  let failures = 0;
  /** Set when no connection will follow. */
  let finalLoss: ConnectionLoss | undefined;
  let closing: Promise<void> | undefined;

  function connect(): void {
    reconnectTimer = undefined;
    state.set({ type: "connecting" });
    const connection = createServiceConnection(options, {
      open,
      timers,
      firstId,
      ready(): void {
        if (connection.isGreeted) failures = 0;
        if (connection === current) state.set({ type: "open" });
        beginQueued();
      },
      retired(): void {
        if (connection !== current) return;
        current = undefined;
        connect();
      },
      closed(closure): void {
        connections.delete(connection);
        handleClosed(connection, closure);
      },
    });
    connections.add(connection);
    current = connection;
  }

  function handleClosed(
    connection: ServiceConnection,
    { code, message, cause, lost }: ConnectionClosure,
  ): void {
    const isFinal = isFinalCloseCode(code);
    const isCurrent = connection === current;
    if (isCurrent) {
      current = undefined;
      reconnectAt = timers.now() + toReconnectDelayMs(failures, random, backoff);
      failures++;
    }
    const isExhausted = isCurrent && !connection.isGreeted && failures >= (backoff.attempts ?? 8);
    const waiting = isFinal || isExhausted ? takeQueue() : [];
    const loss: ConnectionLoss = { message, cause, maySendAgain: !isFinal, isRetryable: !isFinal };
    if (isFinal) {
      finalLoss = loss;
      state.set({ type: "failed", code, reason: message });
    }
    for (const exchange of lost) exchange.lose(loss);
    for (const exchange of waiting) exchange.lose({ ...loss, maySendAgain: false });
    if (isFinal || current !== undefined) return;
    if (queue.length === 0) state.set({ type: "idle" });
    else ensureConnection(message);
  }

  /** Connects unless there is a connection, immediately or when the backoff has passed. */
  function ensureConnection(reason = ""): void {
    if (current !== undefined || reconnectTimer !== undefined) return;
    const delayMs = reconnectAt - timers.now();
    if (!(delayMs > 0)) return connect();
    reconnectTimer = timers.setTimeout(connect, delayMs);
    state.set({ type: "waiting", delayMs, reason });
  }

  function beginQueued(): void {
    while (pauseTimer === undefined && current?.hasRoom) {
      const { isGreeted } = current;
      const at = queue.findIndex(({ needsHello }) => isGreeted || !needsHello);
      const [exchange] = at < 0 ? [] : queue.splice(at, 1);
      if (exchange === undefined) return;
      current.begin(exchange);
    }
  }

  function takeQueue(): QueuedExchange[] {
    const taken = queue.splice(0);
    timers.clearTimeout(reconnectTimer);
    timers.clearTimeout(pauseTimer);
    reconnectTimer = pauseTimer = undefined;
    return taken;
  }

  function enqueue(exchange: QueuedExchange, method: "push" | "unshift"): void {
    if (finalLoss !== undefined) return exchange.lose(finalLoss);
    queue[method](exchange);
    ensureConnection();
    beginQueued();
  }

  function endPause(): void {
    pauseTimer = undefined;
    beginQueued();
  }

  async function closeAll(): Promise<void> {
    const waiting = takeQueue();
    current = undefined;
    finalLoss = CLOSED;
    state.set({ type: "closed" });
    for (const exchange of waiting) exchange.lose(CLOSED);
    const closed = [...connections].map((connection) => connection.close(CLOSED));
    connections.clear();
    await Promise.all(closed);
  }

  return {
    submit: (exchange) => enqueue(exchange, "push"),
    resubmit(exchange, isServerBusy): void {
      if (isServerBusy) {
        pauseTimer ??= timers.setTimeout(endPause, toReconnectDelayMs(1, random, backoff));
      }
      enqueue(exchange, "unshift");
    },
    withdraw(exchange): void {
      const at = queue.indexOf(exchange);
      if (at >= 0) queue.splice(at, 1);
    },
    close: () => closing ??= closeAll(),
  };
}

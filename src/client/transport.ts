/**
 * Gets exchanges onto a connection: opens it when it is needed, and again when it is lost.
 *
 * @module
 */
import { type BackoffOptions, toDelayMs } from "./backoff.ts";
import { type Connection, type ConnectionOptions, createConnection } from "./connection.ts";
import type { Exchange } from "./exchange.ts";
import type { Closure, Loss } from "./loss.ts";
import type { WebSocketLike } from "./socket.ts";
import type { StateHolder } from "./state.ts";
import type { Timers } from "./timers.ts";

/** How connections are kept and opened again. */
export interface TransportOptions extends ConnectionOptions {
  readonly backoff?: BackoffOptions;
}

/** What a transport needs. */
export interface TransportDeps {
  open(): Promise<WebSocketLike>;
  readonly timers: Timers;
  /** Gives a number from 0 to less than 1. */
  random(): number;
  readonly state: StateHolder;
  /** The id of a connection's first exchange. Default 1. */
  readonly firstId?: number | undefined;
}

/** Carries exchanges. */
export interface Transport {
  /** Sends an exchange as soon as there is room for it. */
  submit(exchange: Exchange): void;
  /** Sends an exchange before all others, as soon as there is room for it. */
  resubmit(exchange: Exchange, delayed: boolean): void;
  /** Forgets an exchange that was not sent. */
  withdraw(exchange: Exchange): void;
  close(): Promise<void>;
}

/** Server's close codes after which the same would happen again; a new credential is another matter. */
const isFinalCode = (code: number): boolean => code >= 4500 && code <= 4999 && code !== 4501;

/** The loss of a connection after which there is no other. */
const FINAL = { maySendAgain: false, isRetryable: false } as const;

/** Creates a transport, which has no connection yet. */
export function createTransport(
  { backoff = {}, ...options }: TransportOptions,
  { open, timers, random, state, firstId }: TransportDeps,
): Transport {
  const connections = new Set<Connection>();
  const queue: Exchange[] = [];
  let current: Connection | undefined;
  let retry: unknown;
  let pause: unknown;
  let retryAt = -Infinity;
  let failures = 0;
  let finalMessage: string | undefined;
  let closing: Promise<void> | undefined;

  function connect(): void {
    retry = undefined;
    state.set({ type: "connecting" });
    const connection = createConnection(options, {
      open,
      timers,
      firstId,
      ready(): void {
        if (connection.isGreeted) failures = 0;
        if (connection === current) state.set({ type: "open" });
        pump();
      },
      retired(): void {
        if (connection !== current) return;
        current = undefined;
        connect();
      },
      closed(closure): void {
        connections.delete(connection);
        lose(connection, closure);
      },
    });
    connections.add(connection);
    current = connection;
  }

  function lose(connection: Connection, { code, message, cause, lost }: Closure<Exchange>): void {
    const isFinal = isFinalCode(code);
    const isCurrent = connection === current;
    if (isCurrent) {
      current = undefined;
      retryAt = timers.now() + toDelayMs(failures, random, backoff);
      failures++;
    }
    const isExhausted = isCurrent && !connection.isGreeted && failures >= (backoff.attempts ?? 8);
    const waiting = isFinal || isExhausted ? takeQueue() : [];
    if (isFinal) finalMessage = message;
    if (isFinal) state.set({ type: "failed", code, reason: message });
    const loss: Loss = { message, cause, maySendAgain: !isFinal, isRetryable: !isFinal };
    for (const exchange of lost) exchange.lose(loss);
    for (const exchange of waiting) exchange.lose({ ...loss, maySendAgain: false });
    if (isFinal || current !== undefined) return;
    if (queue.length === 0) state.set({ type: "idle" });
    else want(message);
  }

  /** Sees to it that there will be a connection. */
  function want(reason = ""): void {
    if (current !== undefined || retry !== undefined) return;
    const delayMs = retryAt - timers.now();
    if (!(delayMs > 0)) return connect();
    retry = timers.setTimeout(connect, delayMs);
    state.set({ type: "waiting", delayMs, reason });
  }

  function pump(): void {
    while (pause === undefined && current?.hasRoom) {
      const { isGreeted } = current;
      const at = queue.findIndex(({ needsHello }) => isGreeted || !needsHello);
      const [exchange] = at < 0 ? [] : queue.splice(at, 1);
      if (exchange === undefined) return;
      current.begin(exchange);
    }
  }

  function takeQueue(): Exchange[] {
    const taken = queue.splice(0);
    timers.clearTimeout(retry);
    timers.clearTimeout(pause);
    retry = pause = undefined;
    return taken;
  }

  function enqueue(exchange: Exchange, how: "push" | "unshift"): void {
    const message = closing === undefined ? finalMessage : "The client is closed";
    if (message !== undefined) return exchange.lose({ ...FINAL, message });
    queue[how](exchange);
    want();
    pump();
  }

  function resume(): void {
    pause = undefined;
    pump();
  }

  async function closeAll(): Promise<void> {
    const waiting = takeQueue();
    current = undefined;
    state.set({ type: "closed" });
    const loss = { ...FINAL, message: "The client was closed" };
    for (const exchange of waiting) exchange.lose(loss);
    const closed = [...connections].map((connection) => connection.close(loss));
    connections.clear();
    await Promise.all(closed);
  }

  return {
    submit: (exchange) => enqueue(exchange, "push"),
    resubmit(exchange, isDelayed): void {
      if (isDelayed) pause ??= timers.setTimeout(resume, toDelayMs(1, random, backoff));
      enqueue(exchange, "unshift");
    },
    withdraw(exchange): void {
      const at = queue.indexOf(exchange);
      if (at >= 0) queue.splice(at, 1);
    },
    close: () => closing ??= closeAll(),
  };
}

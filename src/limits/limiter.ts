/**
 * Limits how much each client may use. Clients are told apart by a key: an identity, else an address.
 *
 * @module
 */
import { type Clock, systemClock, wait } from "../clock.ts";
import { type CreatePlaces, createPlaces as createLocalPlaces, type Lease } from "./places.ts";
import type { CreateStore } from "./store.ts";

export type { Lease } from "./places.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const BURST_MS = 10_000;
// It is unknown when a place becomes free: clients are told to wait this long.
const PLACE_RETRY_MS = 1000;

/** The limits of each key; 0: no limit. */
export interface LimiterOptions {
  /** Connections at a time. */
  readonly maxConnections: number;
  /** Exchanges at a time, over all connections of the key. */
  readonly maxInFlight: number;
  readonly requestsPerSecond: number;
  /** Additional requests within 10 seconds; has no effect without `requestsPerSecond`. */
  readonly requestBurst: number;
  /** Bytes of responses. */
  readonly bytesPerMinute: number;
}

/** Tells which limit a key has reached. */
export interface LimitExceeded {
  readonly limit: keyof typeof MESSAGES;
  readonly max: number;
  /** Milliseconds after which another attempt may succeed. */
  readonly retryAfterMs: number;
  /** For the client: what is wrong and what to do. */
  readonly message: string;
}

/** Holds every key to its limits. */
export interface Limiter extends Disposable {
  /** Admits a connection. The lease must be disposed of when the connection has closed. */
  admitConnection(key: string): Lease | LimitExceeded;
  /**
   * Admits an exchange and counts its request. The lease must be disposed of when the exchange has ended.
   * Returns a promise only if a store has to be asked.
   *
   * @throws The reason why a store cannot count, as a rejection; the place is given back.
   */
  admitExchange(key: string): Lease | LimitExceeded | Promise<Lease | LimitExceeded>;
  /**
   * Counts the bytes of a complete response. Never waits.
   *
   * @throws The reason why the store cannot count, as a rejection.
   */
  count(key: string, bytes: number): void | Promise<void>;
  /**
   * Counts bytes of a stream before they are sent. The promise fulfils when the key may send them: the limit
   * slows a stream down and never breaks it off.
   *
   * @throws The signal's reason if it is aborted while waiting, or the reason why the store cannot count, as
   * a rejection.
   */
  spend(key: string, bytes: number, signal?: AbortSignal): void | Promise<void>;
  /** Disposes of the stores, and fulfils the promises of all that wait. */
  [Symbol.dispose](): void;
}

const MESSAGES = {
  connections: (max: number) =>
    `The limit of connections at a time is ${max}; close one and try again, or ask the operator, who sets it ` +
    "with LIMIT_CONNECTIONS",
  inFlight: (max: number) =>
    `The limit of requests in flight is ${max}; wait until one has ended and try again`,
  requests: (max: number) => `The limit of requests per second is ${max}; wait and try again`,
  bytes: (max: number) =>
    `The limit of response bytes per minute is ${max}; wait for the next minute and try again`,
} as const;

/** Returns whether a key was refused, and no place was taken. */
export function isLimitExceeded(value: Lease | LimitExceeded): value is LimitExceeded {
  return "limit" in value;
}

/**
 * Creates a {@linkcode Limiter}. A limit of 0 needs no store and counts nothing.
 *
 * @param deps By default `createPlaces` counts in this isolate's memory.
 */
export function createLimiter(
  options: LimiterOptions,
  createStore: CreateStore,
  { createPlaces = createLocalPlaces, clock = systemClock }: {
    readonly createPlaces?: CreatePlaces;
    readonly clock?: Clock;
  } = {},
): Limiter {
  const { maxConnections, maxInFlight, requestsPerSecond, requestBurst, bytesPerMinute } = options;
  const connections = createPlaces(maxConnections, "connections");
  const exchanges = createPlaces(maxInFlight, "exchanges");
  const requests = requestsPerSecond === 0 ? undefined : createStore({
    points: requestsPerSecond,
    durationMs: SECOND_MS,
    ...(requestBurst > 0 && { burst: requestBurst, burstMs: BURST_MS }),
  }, "requests");
  const bytes = bytesPerMinute === 0
    ? undefined
    : createStore({ points: bytesPerMinute, durationMs: MINUTE_MS }, "bytes");
  const tooManyConnections = toLimitExceeded("connections", maxConnections, PLACE_RETRY_MS);
  const tooManyExchanges = toLimitExceeded("inFlight", maxInFlight, PLACE_RETRY_MS);
  const closed = new AbortController();

  async function askStores(key: string, lease: Lease): Promise<Lease | LimitExceeded> {
    using held = new DisposableStack();
    held.use(lease);
    const left = await bytes?.peek(key);
    if (left?.allowed === false) {
      return toLimitExceeded("bytes", bytesPerMinute, left.retryAfterMs);
    }
    const counted = await requests?.consume(key, 1);
    if (counted?.allowed === false) {
      return toLimitExceeded("requests", requestsPerSecond, counted.retryAfterMs);
    }
    held.move(); // the exchange keeps its place
    return lease;
  }

  async function slowDown(key: string, sent: number, signal?: AbortSignal): Promise<void> {
    // Counted after the wait, so that the bytes count in the window in which they are sent.
    let left = await bytes?.peek(key);
    while (left?.allowed === false) {
      await waitUntilClosed(left.retryAfterMs, signal);
      if (closed.signal.aborted) return;
      left = await bytes?.peek(key); // other exchanges of the key may have used the new window up
    }
    await bytes?.consume(key, sent);
  }

  async function waitUntilClosed(ms: number, signal?: AbortSignal): Promise<void> {
    const signals = signal === undefined ? [closed.signal] : [closed.signal, signal];
    try {
      await wait(ms, AbortSignal.any(signals), clock);
    } catch (cause) {
      if (!closed.signal.aborted) throw cause;
    }
  }

  return {
    admitConnection: (key) => connections.take(key) ?? tooManyConnections,
    admitExchange(key): Lease | LimitExceeded | Promise<Lease | LimitExceeded> {
      const lease = exchanges.take(key);
      if (lease === undefined) return tooManyExchanges;
      return bytes === undefined && requests === undefined ? lease : askStores(key, lease);
    },
    count(key, sent): void | Promise<void> {
      if (bytes !== undefined && sent > 0) return bytes.consume(key, sent).then(() => {});
    },
    spend(key, sent, signal): void | Promise<void> {
      if (bytes !== undefined && sent > 0) return slowDown(key, sent, signal);
    },
    [Symbol.dispose](): void {
      closed.abort();
      requests?.[Symbol.dispose]();
      bytes?.[Symbol.dispose]();
    },
  };
}

function toLimitExceeded(
  limit: LimitExceeded["limit"],
  max: number,
  retryAfterMs: number,
): LimitExceeded {
  return { limit, max, retryAfterMs, message: MESSAGES[limit](max) };
}

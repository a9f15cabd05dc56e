/**
 * How much one client may use, by its key: an identity, else its address.
 *
 * @module
 */
import { type CreatePlaces, createPlaces as createOwnPlaces, type Lease } from "./places.ts";
import type { CreateStore } from "./store.ts";
import { type Wait, wait as waitForTime } from "./wait.ts";

export type { Lease } from "./places.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const BURST_MS = 10_000;
/** When a place is given back is not known. */
const PLACE_RETRY_MS = 1000;

/** What one key may use; 0: no limit. */
export interface LimiterOptions {
  /** Connections at a time. */
  readonly maxConnections: number;
  /** Exchanges in flight at a time, over all connections of the key. */
  readonly maxInFlight: number;
  readonly requestsPerSecond: number;
  /** Requests beyond the rate that may come within 10 seconds; nothing where the rate has no limit. */
  readonly requestBurst: number;
  /** Bytes of responses. */
  readonly bytesPerMinute: number;
}

/** What a limiter gets besides its options. */
export interface LimiterDeps {
  /** Default: on the system's timer. */
  readonly wait?: Wait;
  /** Default: counted in this isolate. */
  readonly createPlaces?: CreatePlaces;
}

/** A limit that is reached. */
export interface Breach {
  readonly limit: keyof typeof MESSAGES;
  readonly max: number;
  /** Milliseconds until it may be worth another try. */
  readonly retryAfterMs: number;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** Holds every key to its limits. */
export interface Limiter extends Disposable {
  /** Takes a place for a connection until the lease is disposed of. */
  connect(key: string): Lease | Breach;
  /**
   * Takes a place for an exchange until the lease is disposed of, and counts the request. Fulfils at once
   * when nothing has to be asked.
   *
   * @throws What keeps a store from answering, as a rejection; the place is given back.
   */
  begin(key: string): Lease | Breach | Promise<Lease | Breach>;
  /**
   * Counts bytes of a response that goes whole, and asks for no patience.
   *
   * @throws What keeps the store from counting, as a rejection.
   */
  count(key: string, bytes: number): void | Promise<void>;
  /**
   * Counts bytes of a stream before they are sent. A promise fulfils when the key may have more: a stream is
   * slowed down to the limit, never broken.
   *
   * @throws The signal's reason when it is aborted during the wait, or what keeps the store from answering,
   * as a rejection.
   */
  spend(key: string, bytes: number, signal?: AbortSignal): void | Promise<void>;
  /** Disposes of the stores, and lets go of whoever waits. */
  [Symbol.dispose](): void;
}

const MESSAGES = {
  connections: (max: number) =>
    `The limit of connections at a time is ${max}; close one and try again`,
  inFlight: (max: number) =>
    `The limit of requests in flight is ${max}; wait until one has ended and try again`,
  requests: (max: number) => `The limit of requests per second is ${max}; wait and try again`,
  bytes: (max: number) =>
    `The limit of response bytes per minute is ${max}; wait for the next minute and try again`,
} as const;

/** Says whether a limit is reached, and no place was taken. */
export function isBreach(value: Lease | Breach): value is Breach {
  return "limit" in value;
}

/** Creates a {@linkcode Limiter}. A limit that is 0 needs no store and counts nothing. */
export function createLimiter(
  options: LimiterOptions,
  createStore: CreateStore,
  { wait = waitForTime, createPlaces = createOwnPlaces }: LimiterDeps = {},
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
  const noConnection = toBreach("connections", maxConnections, PLACE_RETRY_MS);
  const noExchange = toBreach("inFlight", maxInFlight, PLACE_RETRY_MS);
  const closed = new AbortController();

  async function ask(key: string, lease: Lease): Promise<Lease | Breach> {
    using held = new DisposableStack();
    held.use(lease);
    const left = await bytes?.peek(key);
    if (left?.allowed === false) return toBreach("bytes", bytesPerMinute, left.retryAfterMs);
    const counted = await requests?.consume(key, 1);
    if (counted?.allowed === false) {
      return toBreach("requests", requestsPerSecond, counted.retryAfterMs);
    }
    held.move(); // the place is kept
    return lease;
  }

  async function slowDown(key: string, sent: number, signal?: AbortSignal): Promise<void> {
    // Looked at first: what waits is not counted until it goes, in the window in which it goes.
    let left = await bytes?.peek(key);
    while (left?.allowed === false) {
      await waitOrClose(left.retryAfterMs, signal);
      if (closed.signal.aborted) return;
      left = await bytes?.peek(key); // other exchanges of the key may have used it up again
    }
    await bytes?.consume(key, sent);
  }

  async function waitOrClose(ms: number, signal?: AbortSignal): Promise<void> {
    const signals = signal === undefined ? [closed.signal] : [closed.signal, signal];
    try {
      await wait(ms, AbortSignal.any(signals));
    } catch (cause) {
      if (!closed.signal.aborted) throw cause;
    }
  }

  return {
    connect: (key) => connections.take(key) ?? noConnection,
    begin(key): Lease | Breach | Promise<Lease | Breach> {
      const lease = exchanges.take(key);
      if (lease === undefined) return noExchange;
      return bytes === undefined && requests === undefined ? lease : ask(key, lease);
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

function toBreach(limit: Breach["limit"], max: number, retryAfterMs: number): Breach {
  return { limit, max, retryAfterMs, message: MESSAGES[limit](max) };
}

/**
 * The operator's key set (RFC 7517 §5): fetched when it is needed, with a minimum time between fetches.
 *
 * @module
 */
import {
  createRemoteJWKSet,
  type CryptoKey,
  customFetch,
  type FetchImplementation,
  type JWTVerifyGetKey,
} from "jose";
import { type Clock, systemClock } from "../clock.ts";
import { ProxyError } from "../protocol/mod.ts";

/** How keys are fetched. Times are in milliseconds. */
export interface KeySetOptions {
  /** The minimum time from the start of one fetch to the next. Default: 1 second. */
  readonly reloadMs?: number;
  /** Keys older than this are fetched again in the background. Default: 10 minutes. */
  readonly maxAgeMs?: number;
  /** Keys older than this are no longer used. Default: 24 hours. */
  readonly maxStaleMs?: number;
  /** How long a fetch may take. Default: 5 seconds. */
  readonly timeoutMs?: number;
}

/** The time, and the network, that key sets use. */
export interface KeySetDeps {
  readonly clock?: Clock;
  /** Fetches the key set. Default: the global `fetch`, since the URL is the operator's and not a client's. */
  readonly fetch?: FetchImplementation;
  /** Called with the error of every fetch that fails. */
  readonly onKeysFailed?: (cause: unknown) => void;
}

/** A key set. Its fetches are numbered from 1. */
export interface KeySet {
  /** Returns the number of the fetch that was started last. */
  readonly started: () => number;
  /** Returns the number of the fetch that the current keys are from; 0: there are no keys yet. */
  readonly loaded: () => number;
  /** Fulfils when there are keys that may be used; waits only if there are none. */
  readonly prepare: () => Promise<void>;
  readonly find: JWTVerifyGetKey<CryptoKey>;
  /** Waits for the fetch that is running, else for the next one. All calls until a fetch starts share it. */
  readonly load: () => Promise<void>;
}

const MAX_WAITING = 1000;

/**
 * Creates a {@linkcode KeySet}. jose caches the keys. When to fetch them is decided here, since jose refuses new
 * keys for some time after each fetch.
 */
export function createKeySet(url: URL, options: KeySetOptions, deps: KeySetDeps): KeySet {
  const { reloadMs = 1000, maxAgeMs = 600_000, maxStaleMs = 86_400_000, timeoutMs = 5000 } =
    options;
  const { clock = systemClock, onKeysFailed } = deps;
  const fetchSet = deps.fetch ?? globalThis.fetch;
  const jwks = createRemoteJWKSet(url, {
    timeoutDuration: timeoutMs,
    cooldownDuration: Infinity,
    cacheMaxAge: Infinity,
    async [customFetch](href, init): Promise<Response> {
      const response = await fetchSet(href, init);
      if (response.status !== 200) await response.body?.cancel(); // jose leaves its connection open
      return response;
    },
  });
  let started = 0;
  let startedAt = -Infinity;
  let loaded = 0;
  let loadedAt = -Infinity;
  let waiting = 0;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  function unavailable(cause?: unknown): ProxyError {
    return new ProxyError("unauthorized", "The credential cannot be checked now; try again", {
      retryable: true,
      retryAfterMs: reloadMs,
      cause,
    });
  }

  async function fetchKeys(): Promise<void> {
    const number = ++started;
    const at = startedAt = clock.now();
    try {
      await jwks.reload();
      loaded = number;
      loadedAt = at;
    } catch (cause) {
      onKeysFailed?.(toKeysError(cause));
      throw unavailable(cause);
    } finally {
      running = undefined;
    }
  }

  /** Fetches the keys as soon as the minimum time since the last fetch is over. */
  async function fetchLater(): Promise<void> {
    try {
      // Awaits in any case: the caller has yet to assign `next`.
      await new Promise<void>((resolve) => {
        const waitMs = startedAt + reloadMs - clock.now();
        if (waitMs > 0) clock.after(waitMs, resolve);
        else resolve();
      });
    } finally {
      next = undefined;
    }
    await (running = fetchKeys());
  }

  async function load(): Promise<void> {
    // Strangers can send tokens of unknown keys, and each call that waits costs memory.
    if (waiting >= MAX_WAITING) throw unavailable();
    waiting++;
    try {
      await (running ?? (next ??= fetchLater()));
    } finally {
      waiting--;
    }
  }

  return {
    started: () => started,
    loaded: () => loaded,
    async prepare(): Promise<void> {
      const ageMs = clock.now() - loadedAt;
      if (ageMs > maxStaleMs) return await load();
      const isIdle = running === undefined && next === undefined;
      if (ageMs < maxAgeMs || !isIdle || clock.now() - startedAt < reloadMs) return;
      running = fetchKeys();
      running.catch(() => {}); // the current keys stay in use, and onKeysFailed was called
    },
    find: jwks,
    load,
  };
}

/** Returns the error of a fetch without its URL, whose query may contain a secret. */
function toKeysError(cause: unknown): Error {
  const { message, cause: reason } = cause instanceof Error ? cause : new Error(String(cause));
  const text = reason instanceof Error ? reason.message : message;
  const start = text.indexOf("client error (");
  const isAboutUrl = start < 0 && text.includes("://");
  const what = isAboutUrl ? "the request failed" : text.slice(Math.max(start, 0));
  return new Error(`The key set of JWTs could not be fetched: ${what}`);
}

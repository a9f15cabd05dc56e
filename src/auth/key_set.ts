/**
 * The operator's key set (RFC 7517 §5), fetched when it is needed and no more often than is fair.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  createRemoteJWKSet,
  type CryptoKey,
  customFetch,
  type FetchImplementation,
  type JWTVerifyGetKey,
} from "jose";
import { ProxyError } from "../protocol/mod.ts";

/** How keys are fetched. */
export interface KeySetOptions {
  /** The least time from one fetch of the key set to the next. Default 1 s. */
  readonly reloadMs?: number;
  /** Keys older than this are fetched anew in the background. Default 10 minutes. */
  readonly maxAgeMs?: number;
  /** Keys older than this are not used any more. Default 24 hours. */
  readonly maxStaleMs?: number;
  /** How long a fetch may take. Default 5 s. */
  readonly timeoutMs?: number;
}

/** What a key set needs of the outside. */
export interface KeySetDeps {
  /** Milliseconds of a clock that never goes back. */
  readonly ticks?: () => number;
  /** Fulfils after so many milliseconds. Default: by a timer that does not keep the process alive. */
  readonly delay?: (delayMs: number) => Promise<void>;
  /** Fetches the key set. Default: the global fetch; the URL is the operator's, no client's. */
  readonly fetch?: FetchImplementation;
  /** Is told of every fetch of the key set that fails. */
  readonly onKeysFailed?: (cause: unknown) => void;
}

const MAX_WAITING = 1000;

/** Keys that are fetched; fetches are numbered from 1. */
export interface KeySet {
  /** The number of the last fetch that has begun. */
  readonly begun: () => number;
  /** The number of the fetch that brought the keys; 0: there are none yet. */
  readonly loaded: () => number;
  /** Fulfils when there are keys that may be used: at once, but for the first time. */
  readonly prepare: () => Promise<void>;
  readonly find: JWTVerifyGetKey<CryptoKey>;
  /** Waits for the fetch that runs, else for the next, which all who ask until it begins share. */
  readonly load: () => Promise<void>;
}

/**
 * Creates a {@linkcode KeySet}. jose caches the keys; when to fetch is decided here, for in its cooldown
 * it refuses new keys.
 */
export function createKeySet(url: URL, options: KeySetOptions, deps: KeySetDeps): KeySet {
  const { reloadMs = 1000, maxAgeMs = 600_000, maxStaleMs = 86_400_000, timeoutMs = 5000 } =
    options;
  const { ticks = () => performance.now(), delay = sleepQuietly, onKeysFailed } = deps;
  const fetchSet = deps.fetch ?? globalThis.fetch;
  const jwks = createRemoteJWKSet(url, {
    timeoutDuration: timeoutMs,
    cooldownDuration: Infinity,
    cacheMaxAge: Infinity,
    async [customFetch](href, init): Promise<Response> {
      const response = await fetchSet(href, init);
      if (response.status !== 200) await response.body?.cancel(); // jose leaves it, and its connection, open
      return response;
    },
  });
  let begun = 0;
  let begunAt = -Infinity;
  let loaded = 0; // the number of the fetch that brought the keys
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
    const number = ++begun;
    const startedAt = begunAt = ticks();
    try {
      await jwks.reload();
      loaded = number;
      loadedAt = startedAt;
    } catch (cause) {
      onKeysFailed?.(toKeysError(cause));
      throw unavailable(cause);
    } finally {
      running = undefined;
    }
  }

  async function fetchInTurn(): Promise<void> {
    try {
      const waitMs = begunAt + reloadMs - ticks();
      await (waitMs > 0 ? delay(waitMs) : undefined); // awaits in any case: `next` is yet to be set
    } finally {
      next = undefined;
    }
    await (running = fetchKeys());
  }

  async function load(): Promise<void> {
    // Strangers can ask for keys that there are not, and each that waits costs memory.
    if (waiting >= MAX_WAITING) throw unavailable();
    waiting++;
    try {
      await (running ?? (next ??= fetchInTurn()));
    } finally {
      waiting--;
    }
  }

  return {
    begun: () => begun,
    loaded: () => loaded,
    async prepare(): Promise<void> {
      const ageMs = ticks() - loadedAt;
      if (ageMs > maxStaleMs) return await load();
      const isIdle = running === undefined && next === undefined;
      if (ageMs < maxAgeMs || !isIdle || ticks() - begunAt < reloadMs) return;
      running = fetchKeys();
      running.catch(() => {}); // the known keys go on, and onKeysFailed was told
    },
    find: jwks,
    load,
  };
}

async function sleepQuietly(delayMs: number): Promise<void> {
  await sleep(delayMs, undefined, { ref: false });
}

/** Why there are no keys, without the URL, whose query may hold a key of another kind. */
function toKeysError(cause: unknown): Error {
  const { message, cause: reason } = cause instanceof Error ? cause : new Error(String(cause));
  const text = reason instanceof Error ? reason.message : message;
  const start = text.indexOf("client error (");
  const isAboutUrl = start < 0 && text.includes("://");
  const what = isAboutUrl ? "the request failed" : text.slice(Math.max(start, 0));
  return new Error(`The key set of JWTs could not be fetched: ${what}`);
}

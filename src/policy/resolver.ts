/**
 * Resolves names to addresses with the resolver that connections use (getaddrinfo), and caches them briefly.
 *
 * @module
 */
import { lookup as systemLookup } from "node:dns/promises";
import { type Clock, systemClock } from "../clock.ts";
import { setNewest } from "../http/newest.ts";
import { ProxyError } from "../protocol/mod.ts";
import { type Address, parseAddress } from "./address.ts";
import { type Asker, createLookups, type Lookup, type LookupLimits } from "./lookups.ts";

/** Resolves names to addresses. */
export interface Resolver {
  /**
   * Returns all addresses of a name, at least one. Returns a promise only if they are not cached.
   *
   * @param asker Who waits for them. Default: the service itself.
   * @throws {ProxyError} `dns_error`, as a rejection.
   */
  resolve(host: string, asker?: Asker): readonly Address[] | Promise<readonly Address[]>;
}

/** How names are looked up and cached. */
export interface ResolverOptions extends Partial<LookupLimits> {
  /** Default: the system's getaddrinfo. */
  readonly lookup?: Lookup;
  /**
   * How long addresses are cached, in milliseconds. A name that is rebound to another address goes unnoticed
   * for so long. Default: 10,000.
   */
  readonly ttlMs?: number;
  /** How long after they arrived addresses may be used while no others can be had. Default: 300,000 ms. */
  readonly maxAgeMs?: number;
  /** How many names are cached. Default: 1000. */
  readonly maxEntries?: number;
  readonly clock?: Clock;
}

interface Entry {
  readonly addresses: readonly Address[];
  readonly arrivedAt: number;
  expiresAt: number;
}

interface Pending {
  readonly looking: Promise<readonly string[]>;
  /** What becomes of it: addresses, those that stand in for them, or an error. */
  readonly taking: Promise<readonly Address[]>;
}

// How long a lookup may take before addresses that are known stand in. A resolver asks its server again after 5 s.
const PATIENCE_MS = 1000;
// Error codes of node:dns for a name without addresses. Others mean that the resolver could not find out.
const NO_ADDRESSES: ReadonlySet<unknown> = new Set(["ENOTFOUND", "ENODATA"]);

/** Creates a {@linkcode Resolver}. */
export function createResolver({
  lookup = lookupSystem,
  ttlMs = 10_000,
  maxAgeMs = 300_000,
  maxEntries = 1000,
  maxRunning = 24,
  maxPending = 128,
  maxPendingEach = 32,
  clock = systemClock,
}: ResolverOptions = {}): Resolver {
  const entries = new Map<string, Entry>();
  const pending = new Map<string, Pending>();
  const lookups = createLookups(lookup, { maxRunning, maxPending, maxPendingEach });

  function store(host: string, addresses: readonly Address[]): readonly Address[] {
    const now = clock.now();
    const entry = { addresses, arrivedAt: now, expiresAt: now + ttlMs };
    setNewest(entries, [host, entry], maxEntries);
    return addresses;
  }

  /** Uses addresses again that have expired, if they are not too old. The next lookup is tried later. */
  function standIn(host: string): readonly Address[] | undefined {
    const entry = entries.get(host);
    if (entry === undefined) return undefined;
    const [now, end] = [clock.now(), entry.arrivedAt + maxAgeMs];
    if (now >= end) return undefined;
    entry.expiresAt = Math.min(now + ttlMs, end);
    return entry.addresses;
  }

  async function take(
    host: string,
    looking: Promise<readonly string[]>,
  ): Promise<readonly Address[]> {
    let texts: readonly string[];
    try {
      texts = await looking;
    } catch (cause) {
      if (hasNoAddresses(cause)) entries.delete(host);
      const known = standIn(host);
      if (known !== undefined) return known;
      throw unresolved(host, cause);
    }
    const addresses = texts.map(parseAddress).filter((address) => address !== undefined);
    // The policy cannot decide on an address that does not parse, so the name as a whole is refused.
    if (addresses.length > 0 && addresses.length === texts.length) return store(host, addresses);
    entries.delete(host);
    throw unresolved(host);
  }

  /** Takes the result of a lookup, or known addresses if the lookup takes too long. */
  function takeInTime(
    host: string,
    looking: Promise<readonly string[]>,
  ): Promise<readonly Address[]> {
    const taking = take(host, looking);
    if (!entries.has(host)) return taking;
    const { promise, resolve } = Promise.withResolvers<readonly Address[]>();
    const cancel = clock.after(PATIENCE_MS, () => resolve(standIn(host) ?? taking));
    taking.then(cancel, cancel);
    return Promise.race([taking, promise]);
  }

  return {
    resolve(host, asker): readonly Address[] | Promise<readonly Address[]> {
      const entry = entries.get(host);
      if (entry !== undefined && entry.expiresAt > clock.now()) return entry.addresses;
      const looking = lookups.look(host, asker);
      if (looking === undefined) return standIn(host) ?? Promise.reject(tooMany());
      const running = pending.get(host);
      if (running?.looking === looking) return running.taking;
      const taking = takeInTime(host, looking).finally(() => {
        if (pending.get(host)?.looking === looking) pending.delete(host);
      });
      pending.set(host, { looking, taking });
      return taking;
    },
  };
}

function hasNoAddresses(error: unknown): boolean {
  return error instanceof Error && "code" in error && NO_ADDRESSES.has(error.code);
}

function tooMany(): ProxyError {
  return new ProxyError("dns_error", "Too many name lookups are in progress; try again");
}

function unresolved(host: string, cause?: unknown): ProxyError {
  return new ProxyError("dns_error", `The name ${JSON.stringify(host)} could not be resolved`, {
    cause,
  });
}

async function lookupSystem(host: string): Promise<readonly string[]> {
  const found = await systemLookup(host, { all: true });
  return found.map(({ address }) => address);
}

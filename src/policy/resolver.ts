/**
 * Resolves names to addresses with the resolver that connections use (getaddrinfo), and caches them briefly.
 *
 * @module
 */
import { lookup as systemLookup } from "node:dns/promises";
import { type Clock, systemClock } from "../clock.ts";
import { ProxyError } from "../protocol/mod.ts";
import { type Address, parseAddress } from "./address.ts";

/** Resolves names to addresses. */
export interface Resolver {
  /**
   * Returns all addresses of a name, at least one. Returns a promise only if they are not cached.
   *
   * @throws {ProxyError} `dns_error`, as a rejection.
   */
  resolve(host: string): readonly Address[] | Promise<readonly Address[]>;
}

/** Looks up all addresses of a name, in the order in which to try them. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** How names are looked up and cached. */
export interface ResolverOptions {
  /** Default: the system's getaddrinfo. */
  readonly lookup?: Lookup;
  /**
   * How long addresses are cached, in milliseconds. A name that is rebound to another address goes unnoticed
   * for so long. Default: 10,000.
   */
  readonly ttlMs?: number;
  /** How many names are cached. Default: 1000. */
  readonly maxEntries?: number;
  /** How many lookups run at a time, so that slow names cannot use up all threads. Default: 128. */
  readonly maxPending?: number;
  readonly clock?: Clock;
}

interface Entry {
  readonly addresses: readonly Address[];
  readonly expiresAt: number;
}

/** Creates a {@linkcode Resolver}. */
export function createResolver({
  lookup = lookupSystem,
  ttlMs = 10_000,
  maxEntries = 1000,
  maxPending = 128,
  clock = systemClock,
}: ResolverOptions = {}): Resolver {
  const entries = new Map<string, Entry>();
  const pending = new Map<string, Promise<readonly Address[]>>();

  async function resolveAnew(host: string): Promise<readonly Address[]> {
    const addresses = await lookUp(host, lookup);
    entries.delete(host); // moves it to the end: the first entry is the oldest
    const [oldest] = entries.keys();
    if (entries.size >= maxEntries && oldest !== undefined) entries.delete(oldest);
    entries.set(host, { addresses, expiresAt: clock.now() + ttlMs });
    return addresses;
  }

  return {
    resolve(host: string): readonly Address[] | Promise<readonly Address[]> {
      const entry = entries.get(host);
      if (entry !== undefined && entry.expiresAt > clock.now()) return entry.addresses;
      const running = pending.get(host);
      if (running !== undefined) return running;
      if (pending.size >= maxPending) {
        return Promise.reject(
          new ProxyError("dns_error", "Too many name lookups are in progress; try again"),
        );
      }
      const started = resolveAnew(host).finally(() => pending.delete(host));
      pending.set(host, started);
      return started;
    },
  };
}

async function lookUp(host: string, lookup: Lookup): Promise<readonly Address[]> {
  let texts: readonly string[];
  try {
    texts = await lookup(host);
  } catch (cause) {
    throw unresolved(host, cause);
  }
  const addresses = texts.map(parseAddress).filter((address) => address !== undefined);
  // The policy cannot decide on an address that does not parse, so the name as a whole is refused.
  if (addresses.length === 0 || addresses.length < texts.length) throw unresolved(host);
  return addresses;
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

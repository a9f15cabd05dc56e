/**
 * Names to addresses, by the resolver that connections use (getaddrinfo), with a short bounded cache.
 *
 * @module
 */
import { lookup as systemLookup } from "node:dns/promises";
import { ProxyError } from "../protocol/mod.ts";
import { type Address, parseAddress } from "./address.ts";

/** Resolves names. */
export interface Resolver {
  /**
   * Gives every address of a name, at least one: at once when it is known, else as a promise.
   *
   * @throws {ProxyError} `dns_error`, as a rejection.
   */
  resolve(host: string): readonly Address[] | Promise<readonly Address[]>;
}

/** Gives every address of a name, in the order to try them. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** How a resolver works. */
export interface ResolverOptions {
  /** Default: the system's getaddrinfo. */
  readonly lookup?: Lookup;
  /** How long an answer holds, in milliseconds. Default 10 s, within the 30 s that a rebind may go unseen. */
  readonly ttlMs?: number;
  /** Names kept. Default 1000. */
  readonly maxEntries?: number;
  /** Lookups under way at once, so that a client's slow names cannot use up every thread. Default 128. */
  readonly maxPending?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

interface Entry {
  readonly addresses: readonly Address[];
  readonly expiresAt: number;
}

/** Creates a resolver. */
export function createResolver({
  lookup = lookupSystem,
  ttlMs = 10_000,
  maxEntries = 1000,
  maxPending = 128,
  now = () => performance.now(),
}: ResolverOptions = {}): Resolver {
  const entries = new Map<string, Entry>();
  const pending = new Map<string, Promise<readonly Address[]>>();

  async function resolveAnew(host: string): Promise<readonly Address[]> {
    const addresses = await lookUp(host, lookup);
    entries.delete(host); // so that it moves to the end: the first is the oldest
    const [oldest] = entries.keys();
    if (entries.size >= maxEntries && oldest !== undefined) entries.delete(oldest);
    entries.set(host, { addresses, expiresAt: now() + ttlMs });
    return addresses;
  }

  return {
    resolve(host: string): readonly Address[] | Promise<readonly Address[]> {
      const entry = entries.get(host);
      if (entry !== undefined && entry.expiresAt > now()) return entry.addresses;
      const underWay = pending.get(host);
      if (underWay !== undefined) return underWay;
      if (pending.size >= maxPending) {
        return Promise.reject(
          new ProxyError("dns_error", "Too many name lookups are under way; try again"),
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
  // An address that cannot be judged must not be connected to: the name as a whole is refused.
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

/**
 * Connects to the first of several addresses that accepts a connection (RFC 8305, "Happy Eyeballs").
 *
 * @module
 */
import type { Cancel, Clock } from "../../clock.ts";
import { noAddress } from "../failures.ts";

/** A connection that can be closed. */
interface Closable {
  close(): void;
}

/** How to connect to one address. */
export interface Race<Connection extends Closable> {
  /** Connects to one address. The signal is aborted when the connection is no longer wanted. */
  readonly connect: (address: string, signal: AbortSignal) => Promise<Connection>;
  /** Ends all attempts; its reason is then thrown. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** The first connection that was made. */
export interface Winner<Connection> {
  readonly connection: Connection;
  readonly address: string;
}

// RFC 8305 §5, "Connection Attempt Delay".
const NEXT_ATTEMPT_MS = 250;
// A name may have hundreds of addresses, and would make one request into as many connections.
const MAX_ADDRESSES = 16;

/**
 * Tries the addresses in turn, the next one as soon as an attempt has failed or has taken 250 ms. The other attempts end
 * when one succeeds.
 *
 * @param addresses In the order of preference; families alternate (RFC 8305 §4). At most 16 are tried.
 * @throws The signal's reason, or the error of the attempt that failed last.
 */
export function connectToFirst<Connection extends Closable>(
  addresses: readonly string[],
  { connect, signal, clock }: Race<Connection>,
): Promise<Winner<Connection>> {
  const waiting = alternateFamilies(addresses).slice(0, MAX_ADDRESSES);
  const { promise, resolve, reject } = Promise.withResolvers<Winner<Connection>>();
  const losers = new AbortController();
  let running = 0;
  let hasEnded = false;
  let cancelNext: Cancel | undefined;

  function end(): void {
    hasEnded = true;
    cancelNext?.();
    signal.removeEventListener("abort", abort);
    losers.abort();
  }

  function abort(): void {
    end();
    reject(signal.reason);
  }

  async function attempt(address: string): Promise<void> {
    running++;
    try {
      const connection = await connect(address, losers.signal);
      if (hasEnded) return connection.close();
      end();
      resolve({ connection, address });
    } catch (error) {
      running--;
      if (hasEnded) return;
      if (waiting.length > 0) return startNext();
      if (running > 0) return;
      end();
      reject(error);
    }
  }

  function startNext(): void {
    cancelNext?.();
    const address = waiting.shift();
    if (address === undefined) return;
    if (waiting.length > 0) cancelNext = clock.after(NEXT_ATTEMPT_MS, startNext);
    attempt(address);
  }

  if (waiting.length === 0) return Promise.reject(noAddress());
  if (signal.aborted) return Promise.reject(signal.reason);
  signal.addEventListener("abort", abort);
  startNext();
  return promise;
}

/** Returns the addresses so that IPv6 and IPv4 take turns; the family of the first address comes first. */
function alternateFamilies(addresses: readonly string[]): string[] {
  const isFirstFamily = (address: string): boolean => isIpv6(address) === isIpv6(addresses[0]);
  const first = addresses.filter(isFirstFamily);
  const second = addresses.filter((address) => !isFirstFamily(address));
  return first.flatMap((address, index) => [address, ...second.slice(index, index + 1)])
    .concat(second.slice(first.length));
}

function isIpv6(address: string | undefined): boolean {
  return address?.includes(":") === true;
}

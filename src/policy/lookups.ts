/**
 * Runs lookups of names: a bounded number at a time, in shares of those who ask, and only while somebody waits.
 *
 * A lookup by getaddrinfo holds a thread until it ends, whether or not anyone still waits, and its thread is one of the
 * 32 on which Deno also writes the log and reads files. So lookups leave some of them free.
 *
 * @module
 */

/** Looks up all addresses of a name, in the order in which to try them. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** Who waits for a lookup; an exchange is one. */
export interface Asker {
  /** `key`: what shares are counted by. */
  readonly caller: { readonly key: string };
  /** Aborted when the asker waits no longer. */
  readonly signal: AbortSignal;
}

/** Limits of lookups. */
export interface LookupLimits {
  /** How many run at a time; each holds a thread. */
  readonly maxRunning: number;
  /** How many run or wait for a thread. */
  readonly maxPending: number;
  /** How many of one asker run or wait for a thread. */
  readonly maxPendingEach: number;
}

/** Lookups that run or wait for a thread, by name. */
export interface Lookups {
  /**
   * Returns the result of a lookup of the name, which is shared with others who ask for the same name; `undefined` if
   * there are too many lookups.
   *
   * @param asker The lookup waits for a thread only while one of its askers does. Default: always.
   */
  look(host: string, asker: Asker | undefined): Promise<readonly string[]> | undefined;
}

interface Pending {
  readonly host: string;
  /** Whose share it is counted in: who asked first. */
  readonly owner: string;
  readonly result: PromiseWithResolvers<readonly string[]>;
  waiting: number;
  isRunning: boolean;
}

// Lookups for the service itself, such as those of named upstreams.
const NO_OWNER = "";

/** Creates {@linkcode Lookups}. */
export function createLookups(
  lookup: Lookup,
  { maxRunning, maxPending, maxPendingEach }: LookupLimits,
): Lookups {
  const pending = new Map<string, Pending>();
  let running = 0;

  function count(owner: string, isCounted: (each: Pending) => boolean): number {
    let found = 0;
    for (const each of pending.values()) if (each.owner === owner && isCounted(each)) found++;
    return found;
  }

  /** An asker may hold as many threads as it leaves free, so that there is always one for another asker. */
  function mayRun({ owner, isRunning }: Pending): boolean {
    return !isRunning && count(owner, (each) => each.isRunning) < maxRunning - running;
  }

  function runNext(): void {
    for (const each of pending.values()) {
      if (running === maxRunning) return;
      if (mayRun(each)) run(each);
    }
  }

  async function run(each: Pending): Promise<void> {
    each.isRunning = true;
    running++;
    try {
      each.result.resolve(await lookup(each.host));
    } catch (error) {
      each.result.reject(error);
    }
    running--;
    pending.delete(each.host);
    runNext();
  }

  function leave(each: Pending): void {
    each.waiting--;
    if (each.waiting > 0 || each.isRunning) return;
    pending.delete(each.host);
    each.result.reject(new Error("Nobody waits for the lookup any longer"));
  }

  function join(each: Pending, signal: AbortSignal | undefined): void {
    each.waiting++;
    if (signal === undefined) return;
    const left = (): void => leave(each);
    signal.addEventListener("abort", left, { once: true });
    const end = (): void => signal.removeEventListener("abort", left);
    each.result.promise.then(end, end);
  }

  return {
    look(host, asker): Promise<readonly string[]> | undefined {
      let found = pending.get(host);
      if (found === undefined) {
        const owner = asker?.caller.key ?? NO_OWNER;
        if (pending.size >= maxPending || count(owner, () => true) >= maxPendingEach) {
          return undefined;
        }
        found = {
          host,
          owner,
          result: Promise.withResolvers(),
          waiting: 0,
          isRunning: false,
        };
        pending.set(host, found);
      }
      join(found, asker?.signal);
      runNext();
      return found.result.promise;
    },
  };
}

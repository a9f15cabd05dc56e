/**
 * Lets requests begin in the order in which they came. Under Deno 2.9.6 some of several hundred sockets that are
 * read at once by a busy isolate wait a hundred times as long as others; of two hundred none does.
 *
 * @module
 */

/** A place of the gate: to be handed back once there is an answer, or there will be none. */
export interface Place {
  /** How many of its generation are held. */
  held: number;
  /** It was held for so long that it does not count any more. */
  isOld: boolean;
}

/** A gate with so many places. */
export interface Gate {
  /** Takes a place, at once where there is one. */
  enter(): Place | Promise<Place>;
  leave(place: Place): void;
}

/** How a gate works. */
export interface GateOptions {
  readonly places: number;
  /**
   * A place counts for so many milliseconds, or up to twice as many: destinations that are slow keep nobody
   * waiting for longer.
   */
  readonly holdMs: number;
}

/** What a gate works with. */
export interface GateDeps {
  /** Calls back once after so many milliseconds. */
  readonly later: (callback: () => void, delayMs: number) => void;
}

/** Creates a {@linkcode Gate}. */
export function createGate({ places, holdMs }: GateOptions, { later }: GateDeps): Gate {
  let waiting: ((place: Place) => void)[] = [];
  let before: Place = { held: 0, isOld: false };
  let current: Place = { held: 0, isOld: false };
  let isTicking = false;

  const isOpen = (): boolean => before.held + current.held < places;

  function take(): Place {
    current.held++;
    return current;
  }

  function admit(): void {
    let admitted = 0;
    for (; admitted < waiting.length && isOpen(); admitted++) waiting[admitted]?.(take());
    if (admitted > 0) waiting = waiting.slice(admitted);
  }

  /** No clock is read for a place: only while somebody waits do places grow old. */
  function tick(): void {
    before.isOld = true;
    before = current;
    current = { held: 0, isOld: false };
    admit();
    isTicking = waiting.length > 0;
    if (isTicking) later(tick, holdMs);
  }

  return {
    enter(): Place | Promise<Place> {
      if (waiting.length === 0 && isOpen()) return take();
      if (!isTicking) later(tick, holdMs);
      isTicking = true;
      return new Promise((resolve) => {
        waiting.push(resolve);
      });
    },
    leave(place): void {
      if (place.isOld) return;
      place.held--;
      if (waiting.length > 0) admit();
    },
  };
}

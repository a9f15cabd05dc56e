/**
 * The pace of exchanges: as many at a time as the event loop serves evenly, or as wait for destinations.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** Makes exchanges wait for one another, in their order, while the event loop has more to do than it can. */
export interface Pace {
  /** To be called before an exchange begins. Gives nothing when it may at once; else a promise of when it may. */
  enter(paced: Paced): void | Promise<void>;
  /** To be called when it needs the loop no longer, or not alone: it has ended or streams. */
  leave(paced: Paced): void;
}

/** What goes at a pace. */
export interface Paced {
  /** It has a place. */
  isUnderway: boolean;
  /** Lets it begin without a place, while it waits for one: nobody wants more of it than its end. */
  begin: (() => void) | undefined;
}

/** What a pace works with. */
export interface PaceDeps {
  /** Calls back in the next turn of the event loop. */
  readonly soon?: (action: () => void) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

interface Waiting {
  readonly paced: Paced;
  /** By the clock. */
  readonly since: number;
}

// Deno's runtime reads at most 128 ready sockets in a turn. Where more are ready, it goes on with those that have
// waited least, so that others wait for seconds. An exchange has two: its client's and its destination's.
const PLACES = 64;
// While that is so, some dozens of exchanges end in so many turns.
const TURNS = 10;
const FEW = 16;
// Something else may be what makes turns long, so that the rest does not hold. In milliseconds.
const MAX_WAIT_MS = 200;

/**
 * Creates a {@linkcode Pace}. There are 64 places. Where exchanges wait for one, and few are ending, destinations are
 * what is waited for and not the loop: then 64 more begin. None waits for more than 200 ms and a turn.
 */
export function createPace(
  { soon = setImmediate, now = () => performance.now() }: PaceDeps = {},
): Pace {
  const waiting: Waiting[] = [];
  let taken = 0;
  let turns = 0;
  let ended = 0;

  function turn(): void {
    turns++;
    let places = Math.max(0, PLACES - taken);
    if (ended > FEW) turns = ended = 0;
    if (turns === TURNS) {
      turns = ended = 0;
      places = PLACES;
    }
    waiting.splice(0, letBegin(places));
    if (waiting.length > 0) soon(turn);
  }

  /** Gives how many wait no longer. */
  function letBegin(places: number): number {
    const overdue = now() - MAX_WAIT_MS;
    let free = places;
    for (const [index, { paced, since }] of waiting.entries()) {
      const { begin } = paced;
      if (begin === undefined) continue; // it has begun without a place
      if (free <= 0 && since > overdue) return index;
      free--;
      take(paced);
      begin();
    }
    return waiting.length;
  }

  function take(paced: Paced): void {
    paced.isUnderway = true;
    paced.begin = undefined;
    taken++;
  }

  return {
    enter(paced): void | Promise<void> {
      if (waiting.length === 0) {
        if (taken < PLACES) return take(paced);
        turns = ended = 0;
        soon(turn);
      }
      return new Promise((resolve) => {
        paced.begin = resolve;
        waiting.push({ paced, since: now() });
      });
    },
    leave(paced): void {
      if (!paced.isUnderway) return;
      paced.isUnderway = false;
      taken--;
      ended++;
    },
  };
}

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
  /** It has entered and not left. */
  isUnderway: boolean;
}

/** What a pace works with. */
export interface PaceDeps {
  /** Calls back in the next turn of the event loop. */
  readonly soon?: (action: () => void) => void;
}

interface Waiting {
  readonly paced: Paced;
  readonly begin: () => void;
}

// Deno's runtime reads at most 128 ready sockets in a turn. Where more are ready, it goes on with those that have
// waited least, so that others wait for seconds. An exchange has two: its client's and its destination's.
const PLACES = 64;
// While that is so, some dozens of exchanges end in so many turns.
const TURNS = 10;
const FEW = 8;

/**
 * Creates a {@linkcode Pace}. There are 64 places. Where exchanges wait for one, and few are ending, destinations are
 * what is waited for and not the loop: then 64 more begin.
 */
export function createPace({ soon = setImmediate }: PaceDeps = {}): Pace {
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
    for (const { paced, begin } of waiting.splice(0, places)) {
      take(paced);
      begin();
    }
    if (waiting.length > 0) soon(turn);
  }

  function take(paced: Paced): void {
    paced.isUnderway = true;
    taken++;
  }

  return {
    enter(paced): void | Promise<void> {
      if (waiting.length === 0) {
        if (taken < PLACES) return take(paced);
        turns = ended = 0;
        soon(turn);
      }
      return new Promise((begin) => {
        waiting.push({ paced, begin });
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

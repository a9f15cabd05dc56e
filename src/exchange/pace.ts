/**
 * The pace of exchanges: as many at a time as the event loop serves evenly, or as wait for destinations.
 *
 * @module
 */
import type { Clock } from "../clock.ts";

// Deno's runtime reads at most 128 ready sockets in a turn. Where more are ready, it continues with those that have
// waited least, so that others wait for seconds. An exchange has two: its client's and its destination's.
const PLACES = 64;
// While that is so, some dozens of exchanges end in so many turns.
const TURNS = 10;
const FEW_ENDED = 16;
// Something else may be what makes turns long, and then the above does not hold. In milliseconds.
const MAX_WAIT_MS = 200;

/**
 * Lets exchanges start in the order in which they arrived, 64 at a time. Where exchanges wait and few are ending, they
 * wait for destinations and not for the event loop: then 64 more start. No exchange waits for more than 200 ms and a turn.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #waiting: Place[] = [];
  #taken = 0;
  #turns = 0;
  #ended = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns a place, which is held at once or {@linkcode Place.granted} later. */
  enter(): Place {
    const place = new Place(this);
    if (this.#waiting.length === 0) {
      if (this.#taken < PLACES) {
        this.#hold(place);
        return place;
      }
      this.#turns = this.#ended = 0;
      this.#clock.soon(() => this.#turn());
    }
    place.since = this.#clock.now();
    this.#waiting.push(place);
    return place;
  }

  /** Called by a place that is given back. */
  left(): void {
    this.#taken--;
    this.#ended++;
  }

  #hold(place: Place): void {
    this.#taken++;
    place.hold();
  }

  #turn(): void {
    this.#turns++;
    let free = Math.max(0, PLACES - this.#taken);
    if (this.#ended > FEW_ENDED) this.#turns = this.#ended = 0;
    if (this.#turns === TURNS) {
      this.#turns = this.#ended = 0;
      free = PLACES;
    }
    this.#waiting.splice(0, this.#start(free));
    if (this.#waiting.length > 0) this.#clock.soon(() => this.#turn());
  }

  /** Starts waiting exchanges; returns how many no longer wait. */
  #start(places: number): number {
    const overdue = this.#clock.now() - MAX_WAIT_MS;
    let free = places;
    for (const [index, place] of this.#waiting.entries()) {
      if (!place.isWaiting) continue; // it has started without a place
      if (free <= 0 && place.since > overdue) return index;
      free--;
      this.#hold(place);
    }
    return this.#waiting.length;
  }
}

/** A place among the exchanges that are under way. Disposing of it gives it back; doing so twice has no effect. */
export class Place implements Disposable {
  /** When the exchange began to wait, by the clock's `now()`. */
  since = 0;
  readonly #pace: Pace;
  #state: "waiting" | "held" | "left" = "waiting";
  #start: (() => void) | undefined = undefined;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  get isWaiting(): boolean {
    return this.#state === "waiting";
  }

  /** Returns nothing when the exchange may start at once, else a promise that fulfils when it may. */
  granted(): void | Promise<void> {
    if (!this.isWaiting) return;
    return new Promise((resolve) => {
      this.#start = resolve;
    });
  }

  /** Starts an exchange that waits, without a place, so that it can end. Does nothing for one that has started. */
  giveUp(): void {
    if (!this.isWaiting) return;
    this.#state = "left";
    this.#start?.();
  }

  /** Called by the pace when the exchange may start. */
  hold(): void {
    this.#state = "held";
    this.#start?.();
  }

  [Symbol.dispose](): void {
    if (this.#state === "held") this.#pace.left();
    this.#state = "left";
  }
}

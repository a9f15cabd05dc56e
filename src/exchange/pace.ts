/**
 * Limits how many exchanges run at a time: 64, and 64 more whenever those that run only wait for their destinations.
 *
 * @module
 */
import type { Clock } from "../clock.ts";

// In a turn of the event loop Deno's runtime reads at most 128 ready sockets. If more are ready, it continues with those
// that have waited least, so that others wait for seconds. Each exchange uses two sockets: 64 exchanges use 128.
const PLACES = 64;
// If no more than FEW_ENDED exchanges end within so many turns, they wait for destinations, not for the event loop.
const TURNS = 10;
const FEW_ENDED = 16;
// Turns can be long for other reasons: no exchange waits longer than this, in milliseconds, and a turn.
const MAX_WAIT_MS = 200;

/**
 * Lets exchanges start in the order in which they arrived, 64 at a time. Where exchanges wait and few are ending, they
 * wait for destinations and not for the event loop: then 64 more start. No exchange waits for more than 200 ms and a turn.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #waiting: Place[] = [];
  #taken = 0;
  #turnsSinceReset = 0;
  #endedSinceReset = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns a place, which is held at once or {@linkcode Place.waitForStart} later. */
  enter(): Place {
    const place = new Place(this);
    if (this.#waiting.length === 0) {
      if (this.#taken < PLACES) {
        this.#hold(place);
        return place;
      }
      this.#turnsSinceReset = this.#endedSinceReset = 0;
      this.#clock.soon(() => this.#turn());
    }
    place.since = this.#clock.now();
    this.#waiting.push(place);
    return place;
  }

  /** Called by a place that is given back. */
  left(): void {
    this.#taken--;
    this.#endedSinceReset++;
  }

  #hold(place: Place): void {
    this.#taken++;
    place.hold();
  }

  #turn(): void {
    this.#turnsSinceReset++;
    let free = Math.max(0, PLACES - this.#taken);
    if (this.#endedSinceReset > FEW_ENDED) this.#turnsSinceReset = this.#endedSinceReset = 0;
    if (this.#turnsSinceReset === TURNS) {
      this.#turnsSinceReset = this.#endedSinceReset = 0;
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
  waitForStart(): void | Promise<void> {
    if (!this.isWaiting) return;
    return new Promise((resolve) => {
      this.#start = resolve;
    });
  }

  /** Lets a waiting exchange continue without a place, so that it notices that it was aborted. */
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

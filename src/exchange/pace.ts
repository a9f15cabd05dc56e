/**
 * Limits how many exchanges run at a time: 64, and 64 more whenever those that run only wait for their destinations.
 * Connections take turns, so that one with many exchanges delays the others by one of them.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { ConnectionQueue } from "./record.ts";

// In a turn of the event loop Deno's runtime reads at most 128 ready sockets. If more are ready, it continues with those
// that have waited least, so that others wait for seconds. Each exchange uses two sockets: 64 exchanges use 128.
const PLACES = 64;
// If no more than FEW_ENDED exchanges end within so many turns, they wait for destinations, not for the event loop.
const TURNS = 10;
const FEW_ENDED = 16;
// Turns can be long for other reasons: exchanges that have waited longer than this, in milliseconds, start as well, so many
// in a turn at most, and between two such turns the runtime looks for input.
const MAX_WAIT_MS = 200;
const MAX_OVERDUE = 64;

/**
 * Lets exchanges start 64 at a time. Those that have to wait start in rounds, one of each connection in a round. Where
 * exchanges wait and few are ending, they wait for destinations and not for the event loop: then 64 more start. After
 * 200 ms an exchange starts in one of the next turns in any case.
 */
export class Pace {
  readonly #clock: Clock;
  /** In the order in which they start. */
  readonly #waiting: Place[] = [];
  /** The round of the exchange that has started last. */
  #round = 0;
  #taken = 0;
  #turnsSinceReset = 0;
  #endedSinceReset = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns a place, which is held at once or {@linkcode Place.waitForStart} later. */
  enter(queue: ConnectionQueue): Place {
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
    place.round = queue.round = Math.max(queue.round, this.#round) + 1;
    const after = this.#waiting.findLastIndex(({ round }) => round <= place.round);
    this.#waiting.splice(after + 1, 0, place);
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
    const overdue = this.#startNext(free);
    if (this.#waiting.length === 0) return;
    if (overdue > 0) this.#clock.afterInput(() => this.#turn());
    else this.#clock.soon(() => this.#turn());
  }

  /**
   * Starts as many waiting exchanges as there are places, and some of those that have waited for too long. Returns how many
   * of those have started.
   */
  #startNext(places: number): number {
    const since = this.#clock.now() - MAX_WAIT_MS;
    let free = places;
    let overdue = 0;
    let kept = 0;
    for (const place of this.#waiting) {
      if (!place.isWaiting) continue; // it has started without a place
      if (free > 0) free--;
      else if (place.since <= since && overdue < MAX_OVERDUE) overdue++;
      else {
        this.#waiting[kept++] = place;
        continue;
      }
      this.#round = place.round;
      this.#hold(place);
    }
    this.#waiting.length = kept;
    return overdue;
  }
}

/** A place among the exchanges that are under way. Disposing of it gives it back; doing so twice has no effect. */
export class Place implements Disposable {
  /** When the exchange began to wait, by the clock's `now()`. */
  since = 0;
  /** The round in which the exchange is to start. */
  round = 0;
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

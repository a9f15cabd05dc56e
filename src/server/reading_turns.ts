/**
 * Shares each turn of the event loop among the WebSockets that have more to read than a few messages, so that timers and
 * all others get their part however many sockets are flooded.
 *
 * @module
 */
import type { Clock } from "../clock.ts";

// How many frames of all sockets are read at once before those that go on sending wait for a turn.
const FRAMES_AT_ONCE = 256;
// Sockets that send so many frames in this time or longer do not hold anything up.
const CALM_MS = 10;
const SOCKETS_PER_TURN = 4;
// A turn's time for all sockets that have waited for it.
const TURN_MS = 2;
const PAUSE_MS = 8;

/** A socket that has more to read. */
export interface WaitingReader {
  /** The key that limits count by. Sockets of one key share its turns. */
  readonly key: string;
  /** Called when the reader may go on. */
  readOn(): void;
}

/** The turns of all sockets of an isolate. */
export class ReadingTurns {
  readonly #clock: Clock;
  /** In the order in which the keys have their turns. */
  readonly #waiting = new Map<string, WaitingReader[]>();
  #left = FRAMES_AT_ONCE;
  #countedFrom: number;
  /** When the turn ends; infinite while no socket has waited. */
  #endsAt = Infinity;
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedFrom = clock.now();
  }

  /** Counts a frame that has arrived. Reports whether its socket may go on reading; if not, it has to wait. */
  count(): boolean {
    return --this.#left > 0 && this.#endsAt === Infinity || this.#mayGoOn();
  }

  /** Lets a reader go on in one of the next turns. */
  wait(reader: WaitingReader): void {
    const readers = this.#waiting.get(reader.key);
    if (readers === undefined) this.#waiting.set(reader.key, [reader]);
    else readers.push(reader);
    this.#schedule();
  }

  /** Lets a reader whose frames are of little use go on later. */
  pause(reader: WaitingReader): void {
    this.#clock.after(PAUSE_MS, () => this.wait(reader));
  }

  #mayGoOn(): boolean {
    const now = this.#clock.now();
    if (this.#left > 0) return now < this.#endsAt;
    if (this.#isScheduled || now - this.#countedFrom < CALM_MS) return false;
    this.#left = FRAMES_AT_ONCE;
    this.#countedFrom = now;
    return true;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.soon(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    this.#left = FRAMES_AT_ONCE;
    this.#countedFrom = this.#clock.now();
    this.#endsAt = Infinity;
    if (this.#waiting.size === 0) return;
    this.#endsAt = this.#countedFrom + TURN_MS;
    this.#schedule(); // also to end this turn
    for (let count = 0; count < SOCKETS_PER_TURN; count++) this.#takeFirst()?.readOn();
  }

  #takeFirst(): WaitingReader | undefined {
    for (const [key, readers] of this.#waiting) {
      this.#waiting.delete(key);
      const first = readers.shift();
      if (readers.length > 0) this.#waiting.set(key, readers); // behind all other keys
      return first;
    }
    return undefined;
  }
}

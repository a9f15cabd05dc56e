/**
 * Shares each turn of the event loop among the WebSockets that have more to read than a few messages, so that timers and
 * all others get their part however many sockets are flooded.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { LongTurns } from "../turns/long_turns.ts";

// How many frames of all sockets are read at once before those that go on sending wait for a turn.
const FRAMES_AT_ONCE = 256;
// Sockets that send so many frames in this time or longer do not hold anything up.
const CALM_MS = 10;
// How many sockets read in a turn that expect short messages. One long message is handled as well; or, when there is none,
// sockets begin to read: one, since its first message may be long, and twice as many each time that no turn was long; or one
// reads a long message.
const SOCKETS_PER_TURN = 4;
const MAX_NEWCOMERS = 64;
const LONG_MS = 8;
// A turn's time for all sockets that have waited for it.
const TURN_MS = 2;
const PAUSE_MS = 8;

/** A socket that has more to read. */
export interface WaitingReader {
  /** The key that limits count by. Sockets of one key share its turns. */
  readonly key: string;
  /** What it waits for. It expects a long message if the last one was long. */
  readonly waitsTo: "begin" | "read" | "read a long message" | "handle a long message";
  /** Called when the reader may go on. */
  readOn(): void;
}

/** Readers by their keys, in the order in which the keys have their turns. */
type Queue = Map<string, WaitingReader[]>;

/** The turns of all sockets of an isolate. */
export class ReadingTurns {
  readonly #clock: Clock;
  readonly #longTurns: LongTurns;
  readonly #waiting: Readonly<Record<WaitingReader["waitsTo"], Queue>> = {
    begin: new Map(),
    read: new Map(),
    "read a long message": new Map(),
    "handle a long message": new Map(),
  };
  /** How many sockets began to read in the last turn, at most, and when that was. */
  #newcomers = 1;
  #turnedAt = -Infinity;
  #left = FRAMES_AT_ONCE;
  #countedFrom: number;
  /** When the turn ends; infinite while no socket has waited. */
  #endsAt = Infinity;
  #isScheduled = false;

  /** @param longTurns Shared with all else that holds the event loop for long. */
  constructor(clock: Clock, longTurns: LongTurns) {
    this.#clock = clock;
    this.#longTurns = longTurns;
    this.#countedFrom = clock.now();
  }

  /** Counts a frame that has arrived. Reports whether its socket may go on reading; if not, it has to wait. */
  count(): boolean {
    return --this.#left > 0 && this.#endsAt === Infinity || this.#mayGoOn();
  }

  /** Reports whether a new socket may begin to read now, or a long message be handled. If not, it has to wait. */
  mayBegin(): boolean {
    if (this.#isScheduled) return false;
    this.#schedule();
    return true;
  }

  /** Lets a reader go on in one of the next turns. */
  wait(reader: WaitingReader): void {
    const queue = this.#waiting[reader.waitsTo];
    const readers = queue.get(reader.key);
    if (readers === undefined) queue.set(reader.key, [reader]);
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
    this.#longTurns.next(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    const now = this.#clock.now();
    this.#newcomers = now - this.#turnedAt > LONG_MS
      ? 1
      : Math.min(2 * this.#newcomers, MAX_NEWCOMERS);
    this.#turnedAt = now;
    this.#begin();
    this.#endsAt = this.#countedFrom + TURN_MS;
    this.#clock.soon(() => this.#begin());
    this.#readOn("read", SOCKETS_PER_TURN);
    if (this.#readOn("handle a long message", 1) === 0) {
      const begun = this.#readOn("begin", this.#newcomers);
      if (begun === 0) this.#readOn("read a long message", 1);
    }
    if (Object.values(this.#waiting).some(({ size }) => size > 0)) this.#schedule();
  }

  /** Lets so many readers go on, if there are as many. Returns how many there were. */
  #readOn(what: WaitingReader["waitsTo"], most: number): number {
    for (let count = 0; count < most; count++) {
      const reader = takeFirst(this.#waiting[what]);
      if (reader === undefined) return count;
      reader.readOn();
    }
    return most;
  }

  /** Begins to count anew, when no turn is under way. */
  #begin(): void {
    this.#left = FRAMES_AT_ONCE;
    this.#countedFrom = this.#clock.now();
    this.#endsAt = Infinity;
  }
}

function takeFirst(queue: Queue): WaitingReader | undefined {
  for (const [key, readers] of queue) {
    queue.delete(key);
    const first = readers.shift();
    if (readers.length > 0) queue.set(key, readers); // behind all other keys
    return first;
  }
  return undefined;
}

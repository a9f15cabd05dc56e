/**
 * Shares each turn of the event loop among the WebSockets that have more to read than a few messages, so that timers and
 * all others get their part however many sockets are flooded.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { LongTurns } from "../turns/long_turns.ts";
import { ReaderQueue } from "./reader_queue.ts";

// How many frames of all sockets are read at once before those that go on sending wait for a turn.
const FRAMES_AT_ONCE = 256;
// Sockets that send so many frames in this time or longer do not hold anything up.
const CALM_MS = 10;
const SOCKETS_PER_TURN = 4;
// A turn's time for all sockets that have waited for it, and how long turns follow each other before the runtime looks for
// input.
const [TURN_MS, INPUT_MS] = [2, 6] as const;
const PAUSE_MS = 8;
// Long messages of so many bytes may wait to be handled; others are handled at once, so that their memory is given back.
const MAX_WAITING_BYTES = 16_777_216;
// To read a long message takes about as long as to handle it.
const READING_SHARE = 2;

/** A socket that waits for its turn. */
export interface WaitingReader {
  /** The key that limits count by. Sockets of one key share its turns. */
  readonly key: string;
  /** What it waits for. It expects a long message if the last one was long. */
  readonly waitsTo: "read" | "read a long message" | "handle a long message";
  /** Called when the reader may go on. */
  readOn(): void;
}

/** The turns of all sockets of an isolate. */
export class ReadingTurns {
  readonly #clock: Clock;
  readonly #longTurns: LongTurns;
  readonly #waiting = new ReaderQueue<WaitingReader>();
  /** Those that have read a long message, so that no more of them are kept than have to be, and that are to read one. */
  readonly #waitingLong = new ReaderQueue<WaitingReader>(({ waitsTo }) =>
    waitsTo === "handle a long message"
  );
  #isLongScheduled = false;
  /** Of the long messages that wait to be handled. */
  #waitingBytes = 0;
  #left = FRAMES_AT_ONCE;
  #countedFrom: number;
  /** When the turn ends; infinite while no socket has waited. */
  #endsAt = Infinity;
  #isScheduled = false;
  /** When the runtime has looked for input. */
  #inputAt = -Infinity;

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

  /**
   * Handles a long message now, unless others were handled or read in this turn and few wait. Returns whether it has; if
   * not, its bytes have to be counted while it waits.
   */
  tryHandle(size: number, handle: () => void): boolean {
    if (this.#isLongScheduled && this.#waitingBytes + size <= MAX_WAITING_BYTES) return false;
    this.#scheduleLong();
    this.#measure(handle);
    return true;
  }

  /** Counts the size of a long message that waits to be handled, or the negative size of one that no longer does. */
  countWaiting(bytes: number): void {
    this.#waitingBytes += bytes;
  }

  /** Lets a reader go on in one of the next turns. */
  wait(reader: WaitingReader): void {
    if (reader.waitsTo === "read") {
      this.#waiting.push(reader);
      this.#schedule();
    } else {
      this.#waitingLong.push(reader);
      this.#scheduleLong();
    }
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
    if (this.#clock.now() - this.#inputAt < INPUT_MS) {
      return void this.#clock.soon(() => this.#turn());
    }
    this.#clock.afterInput(() => {
      this.#inputAt = this.#clock.now();
      this.#turn();
    });
  }

  #turn(): void {
    this.#isScheduled = false;
    this.#begin();
    this.#endsAt = this.#countedFrom + TURN_MS;
    this.#clock.soon(() => this.#begin());
    for (let count = 0; count < SOCKETS_PER_TURN; count++) this.#waiting.shift()?.readOn();
    if (this.#waiting.size > 0) this.#schedule();
  }

  /** Counts anew, without an end. */
  #begin(): void {
    this.#left = FRAMES_AT_ONCE;
    this.#countedFrom = this.#clock.now();
    this.#endsAt = Infinity;
  }

  #scheduleLong(): void {
    if (this.#isLongScheduled) return;
    this.#isLongScheduled = true;
    this.#longTurns.next(() => this.#longTurn());
  }

  /** Lets one socket handle a long message, or read one. */
  #longTurn(): void {
    const reader = this.#waitingLong.shift();
    this.#isLongScheduled = reader !== undefined; // also to end this turn
    if (reader === undefined) return;
    this.#longTurns.next(() => this.#longTurn());
    this.#measure(() => reader.readOn());
  }

  #measure(action: () => void): void {
    const startedAt = this.#clock.now();
    action();
    this.#longTurns.worked(READING_SHARE * (this.#clock.now() - startedAt));
  }
}

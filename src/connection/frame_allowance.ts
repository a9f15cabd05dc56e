/**
 * What a connection may spend on frames that move nothing forward.
 *
 * @module
 */
import type { Clock } from "../clock.ts";

/** Prices in points; a point is about 5 µs of work. A frame that starts or feeds an exchange which ends by itself costs nothing. */
export const PRICES = {
  /** An exchange that the client has cancelled: most of its work was done for nothing. */
  cancelled: 8,
  /** A cancel, a grant, a ping or a pong; a chunk that no upload takes. */
  frame: 1,
  /** A request or another frame that is refused. */
  refusal: 4,
  /** An `auth`: checking a credential takes longer. */
  auth: 16,
} as const;

/** What an exchange that has started earns: for its cancel, and for frames that cross its end. */
export const EARNED_BY_EXCHANGE = 4;

// A client that grants at least so much at a time earns what it spends on grants.
const BYTES_PER_POINT = 4096;
const POINTS_PER_SECOND = 2000;
const BASE_POINTS = 8192;
const POINTS_PER_EXCHANGE = 64;
const POINTS_PER_REFILL = 256;

/** An account of points, full at first and refilled as time goes by. A class: every idle connection has one. */
export class FrameAllowance {
  readonly #maxPoints: number;
  readonly #clock: Clock;
  #points: number;
  /** Points that were spent since the last refill. */
  #spent = 0;
  #refilledAt: number;

  /** @param maxInFlight Exchanges of the connection at a time: as many may end at once, and be crossed by frames. */
  constructor(maxInFlight: number, clock: Clock) {
    this.#maxPoints = BASE_POINTS + POINTS_PER_EXCHANGE * maxInFlight;
    this.#clock = clock;
    this.#points = this.#maxPoints;
    this.#refilledAt = clock.now();
  }

  /** Adds points, and those for a transfer of so many bytes. */
  earn(points: number, bytes = 0): void {
    const earned = points + Math.floor(bytes / BYTES_PER_POINT);
    this.#points = Math.min(this.#maxPoints, this.#points + earned);
    this.#spent = Math.max(0, this.#spent - earned);
  }

  /** Takes the price of a frame of so many bytes. Reports whether the client could afford it. */
  spend(price: number, bytes = 0): boolean {
    const points = price + Math.floor(bytes / BYTES_PER_POINT);
    this.#points -= points;
    this.#spent += points;
    // The clock is looked at only now and then: that costs as much as the rest.
    if (this.#points < 0 || this.#spent >= POINTS_PER_REFILL) this.#refill();
    return this.#points >= 0;
  }

  /** Adds what time has earned. When the points were spent is unknown: if just now, the account was full before. */
  #refill(): void {
    const now = this.#clock.now();
    const earned = (now - this.#refilledAt) / 1000 * POINTS_PER_SECOND;
    this.#refilledAt = now;
    this.#points = Math.min(this.#maxPoints - this.#spent, this.#points + earned);
    this.#spent = 0;
  }
}

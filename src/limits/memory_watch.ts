/**
 * Watches the memory that the process really has, for what no part of the service can count: messages that a client
 * sends in fragments without an end are put together by the runtime, which reports neither their bytes nor their socket.
 *
 * @module
 */
import type { Cancel, Clock } from "../clock.ts";
import type { MemoryBudget } from "./memory_budget.ts";

/** A connection that can be ended for the memory that it may hold. */
export interface WatchedConnection {
  /** The tick in which the last whole message arrived, by {@linkcode MemoryBudget.ticks}; negative: none has. */
  readonly heardAt: number;
  /** Whether exchanges are in flight, or a whole message waits to be handled: no other is read meanwhile. */
  readonly isBusy: boolean;
  /** Ends the connection at once. */
  endForMemory(): void;
}

/** The memory of the process and of this isolate, in bytes, as `Deno.memoryUsage()` returns it. */
export type MemoryReading = Readonly<Record<"rss" | "heapTotal" | "heapUsed" | "external", number>>;

/** What a watch watches. */
export interface WatchedMemory {
  /** The most memory that the process should have. */
  readonly maxBytes: number;
  /** The most memory that V8 gives to the objects of this isolate. */
  readonly maxHeapBytes: number;
  readonly budget: MemoryBudget;
  /** In the order in which they were opened. */
  readonly connections: () => Iterable<WatchedConnection>;
  readonly read: () => MemoryReading;
  /** For each isolate, the bytes that it can explain. Default: the process has one isolate. */
  readonly explained?: Float64Array<ArrayBufferLike>;
  /** The index of this isolate's number. Default: 0. */
  readonly index?: number;
}

const TICK_MS = 50;
// Of the memory of the process: where only small connections are given more, and where the largest is ended.
const [SHORT_SHARE, FULL_SHARE, HEAP_SHARE] = [0.85, 0.95, 0.8] as const;
// Little can be gained from the budget when less than this part of it is used.
const WORTHWHILE_SHARE = 1 / 16;
// Growth that nothing explains is taken for fragments beyond this many bytes, or this part of the process's memory.
const MIN_GROWTH_BYTES = 64 * 1024 * 1024;
const GROWTH_SHARE = 1 / 8;
// While the process uses less than this part of its memory, no connection is ended for growth.
const HARMLESS_SHARE = 0.4;
// It takes so many ticks to see what has become of the growth.
const PAUSE_TICKS = 4;
// With so little memory left, growth is taken for fragments beyond this part of it.
const FULL_GROWTH_SHARE = 3 / 4;
// The part of the growth that remains after a tick: half of it after seven seconds.
const KEPT_PER_TICK = 0.995;
// A connection is no suspect for so many ticks after a message, mostly and when memory is urgently needed.
const [TRUSTED_TICKS, URGENT_TRUSTED_TICKS] = [10, 5] as const;
// The part of the suspects that is ended at a time: mostly, and when memory is urgently needed.
const [SUSPECTS_SHARE, URGENT_SHARE] = [1 / 8, 1 / 2] as const;

/** Watches the memory of the process until it is disposed of. */
export class MemoryWatch implements Disposable {
  readonly #options: WatchedMemory;
  readonly #explained: Float64Array<ArrayBufferLike>;
  readonly #maxGrowth: number;
  readonly #stop: Cancel;
  /** The memory of the process and what was explained of it, at the last tick. */
  #last: { readonly rss: number; readonly explained: number } | undefined = undefined;
  /**
   * How much the process has grown for no reason that is known, lately. Negative when memory was allocated that has not
   * been used yet.
   */
  #growth = 0;
  /** The next tick in which connections may be ended. */
  #nextAt = 0;
  /** The last tick in which the growth was small. */
  #calmAt = 0;

  constructor(options: WatchedMemory, clock: Clock) {
    this.#options = options;
    this.#explained = options.explained ?? new Float64Array(1);
    this.#maxGrowth = Math.max(MIN_GROWTH_BYTES, options.maxBytes * GROWTH_SHARE);
    this.#stop = clock.every(TICK_MS, () => this.#look());
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #look(): void {
    const { budget, maxBytes, maxHeapBytes, read } = this.#options;
    const reading = read();
    budget.isShort = reading.rss > maxBytes * SHORT_SHARE ||
      reading.heapUsed > maxHeapBytes * HEAP_SHARE;
    budget.tick();
    const isFull = reading.rss > maxBytes * FULL_SHARE;
    const isWorthwhile = budget.keptBytes > budget.maxBytes * WORTHWHILE_SHARE;
    if (isWorthwhile && isFull) budget.endLargest();
    this.#addGrowth(reading);
    this.#judge(reading, isFull);
  }

  /** Looks for growth that nothing explains, and ends the connections that may have caused it. */
  #judge({ rss }: MemoryReading, isFull: boolean): void {
    const { maxBytes, budget } = this.#options;
    if (this.#growth < this.#maxGrowth / 2) this.#calmAt = budget.ticks;
    if (this.#growth < this.#maxGrowth * (isFull ? FULL_GROWTH_SHARE : 1)) return;
    if (rss < maxBytes * HARMLESS_SHARE || !isFull && budget.ticks < this.#nextAt) return;
    this.#nextAt = budget.ticks + PAUSE_TICKS;
    const isUrgent = isFull || this.#growth > 2 * this.#maxGrowth;
    const suspects = this.#findSuspects(isUrgent);
    const unheard = suspects.filter(({ heardAt }) => heardAt < 0).length;
    const share = isFull ? 1 : isUrgent ? URGENT_SHARE : SUSPECTS_SHARE;
    const count = isUrgent && !isFull && unheard > 0 ? unheard : Math.ceil(suspects.length * share);
    for (const suspect of suspects.slice(0, count)) suspect.endForMemory();
  }

  /**
   * Adds to the growth by how much more the process has grown than what is explained. Memory that is freed and not
   * returned to the system yet is none, and growth is forgotten in time unless memory is short.
   */
  #addGrowth(reading: MemoryReading): void {
    const { rss } = reading;
    const explained = this.#explain(reading);
    const { rss: lastRss, explained: lastExplained } = this.#last ?? { rss, explained };
    const [grown, expected] = [rss - lastRss, explained - lastExplained];
    this.#last = { rss, explained };
    const kept = rss > this.#options.maxBytes * SHORT_SHARE ? 1 : KEPT_PER_TICK;
    const growth = this.#growth * kept + toUnexplained(grown, expected);
    this.#growth = Math.max(growth, -this.#maxGrowth / 2); // more than that would hide fragments
  }

  /** Returns the bytes that all isolates can explain. */
  #explain({ heapTotal, external }: MemoryReading): number {
    const { budget, index = 0 } = this.#options;
    this.#explained[index] = heapTotal + external + budget.nativeBytes;
    return this.#explained.reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Returns the connections from which no whole message has arrived since the growth began, or for a while: first
   * those that have never sent one, last those with an exchange, and the latest first.
   */
  #findSuspects(isUrgent: boolean): readonly WatchedConnection[] {
    const { budget: { ticks }, connections } = this.#options;
    const trustedTicks = isUrgent ? URGENT_TRUSTED_TICKS : TRUSTED_TICKS;
    const trustedFrom = Math.max(isUrgent ? 0 : this.#calmAt, ticks - trustedTicks);
    const silent = [...connections()].filter(({ heardAt }) => heardAt < trustedFrom);
    const rank = ({ heardAt, isBusy }: WatchedConnection): number =>
      isBusy ? 2 : heardAt < 0 ? 0 : 1;
    return silent.reverse().sort((a, b) => rank(a) - rank(b));
  }
}

/** Returns how much of a growth is not explained, in bytes; negative when the process has grown less than expected. */
function toUnexplained(grown: number, expected: number): number {
  if (expected >= 0) return grown - expected;
  return grown >= 0 ? grown : Math.min(0, grown - expected); // what is freed may be returned later, or used again
}

/**
 * One timer for all deadlines: most of them never pass, so that setting and clearing one has to cost next to
 * nothing.
 *
 * @module
 */
import type { Cancel, Clock } from "../clock.ts";

/** An object that has deadlines. */
export interface DeadlineOwner {
  /** Called when the deadline has passed. */
  deadlinePassed(): void;
}

/** A deadline that was set, for {@linkcode Wheel.clear}. */
export interface Deadline {
  readonly tick: number;
  readonly owner: DeadlineOwner;
}

/** Keeps deadlines. */
export interface Wheel {
  /** The time by the wheel's clock, in milliseconds. */
  now(): number;
  /**
   * Sets a deadline in `delayMs` milliseconds. Its owner is called then, or up to a tick of 8 ms later.
   *
   * @param from The time by the wheel's clock if it was just read.
   */
  set(delayMs: number, owner: DeadlineOwner, from?: number): Deadline;
  /** Cancels a deadline. Does nothing when it has passed or was cancelled before. */
  clear(deadline: Deadline): void;
}

/** An element of a doubly linked ring, which begins and ends with its queue. */
interface Link {
  before: Link;
  after: Link;
}

/** Deadlines of one delay, which pass in the order in which they were set. */
interface Queue extends Link {
  readonly isQueue: true;
}

interface Entry extends Link, Deadline {
  readonly isQueue: false;
  isWaiting: boolean;
}

const TICK_MS = 8;
// A client may name any delay. When there are more queues than this, the empty ones are dropped.
const MAX_IDLE_QUEUES = 64;

/**
 * Creates a {@linkcode Wheel}.
 *
 * Deadlines are links, not members of a Map or Set: V8 links each table that a Map outgrows to the next, so that a
 * table that has become old keeps all later ones alive until a full collection.
 */
export function createWheel(clock: Clock): Wheel {
  const queues = new Map<number, Queue>();
  let nextTick = Infinity;
  let cancel: Cancel | undefined;

  function wakeAt(tick: number): void {
    if (tick >= nextTick) return;
    nextTick = tick;
    cancel?.();
    cancel = clock.after(tick * TICK_MS - clock.now(), turn);
  }

  function turn(): void {
    nextTick = Infinity;
    const current = Math.floor(clock.now() / TICK_MS);
    for (const entry of findDue(current)) if (entry.isWaiting) pass(entry);
    if (queues.size > MAX_IDLE_QUEUES) dropEmptyQueues();
    for (const { after } of queues.values()) if (isEntry(after)) wakeAt(after.tick);
  }

  /** Returns the entries that are due, in the order of their time, as a copy: owners may set and clear others. */
  function findDue(current: number): readonly Entry[] {
    const due: Entry[] = [];
    for (const { after } of queues.values()) {
      for (let link = after; isEntry(link) && link.tick <= current; link = link.after) {
        due.push(link);
      }
    }
    return due.toSorted((a, b) => a.tick - b.tick);
  }

  function pass(entry: Entry): void {
    unlink(entry);
    entry.owner.deadlinePassed();
  }

  function dropEmptyQueues(): void {
    for (const [delayMs, queue] of queues) if (!isEntry(queue.after)) queues.delete(delayMs);
  }

  return {
    now: () => clock.now(),
    set(delayMs, owner, from = clock.now()): Deadline {
      let queue = queues.get(delayMs);
      if (queue === undefined) queues.set(delayMs, queue = createQueue());
      const last = queue.before;
      const tick = Math.ceil((from + delayMs) / TICK_MS);
      const entry: Entry = {
        tick,
        owner,
        isQueue: false,
        isWaiting: true,
        before: last,
        after: queue,
      };
      last.after = entry;
      queue.before = entry;
      wakeAt(tick);
      return entry;
    },
    clear(deadline): void {
      const entry = deadline as Entry; // only `set` creates deadlines
      if (entry.isWaiting) unlink(entry);
    },
  };
}

function createQueue(): Queue {
  const queue: { -readonly [K in keyof Queue]?: Queue[K] } = { isQueue: true };
  queue.before = queue as Queue; // it is complete once both of its ends are set
  queue.after = queue as Queue;
  return queue as Queue;
}

function isEntry(link: Link): link is Entry {
  return "tick" in link;
}

/** Takes an entry out so that neither side keeps the other alive. */
function unlink(entry: Entry): void {
  entry.before.after = entry.after;
  entry.after.before = entry.before;
  entry.before = entry;
  entry.after = entry;
  entry.isWaiting = false;
}

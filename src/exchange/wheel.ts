/**
 * One timer for all deadlines: most of them never pass, so that setting and clearing one has to cost next to
 * nothing.
 *
 * @module
 */

/** A callback that has not been called yet; to be handed back to {@linkcode Wheel.clear}. */
export interface Entry {
  readonly tick: number;
  readonly callback: () => void;
}

/** Calls back after a time. */
export interface Wheel {
  /**
   * Calls back after so many milliseconds, or up to a tick later.
   *
   * @param from The time by the wheel's clock, where it was just read.
   */
  set(delayMs: number, callback: () => void, from?: number): Entry;
  /** Forgets a callback; one that was called or forgotten is left alone. */
  clear(entry: Entry): void;
}

/** What a wheel works with. */
export interface WheelDeps {
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  /** Calls back after so many milliseconds, in place of the time before. */
  readonly createTimer?: (callback: () => void) => (delayMs: number) => void;
}

/** A ring: the last link is the first one's `before`, and so on round the queue itself. */
interface Link {
  before: Link;
  behind: Link;
}

/** Entries of one delay, which pass in the order in which they were set. */
interface Queue extends Link {
  readonly isQueue: true;
}

interface Linked extends Link, Entry {
  readonly isQueue: false;
  /** It waits in a queue. */
  waits: boolean;
}

const TICK_MS = 8;
// A client may name any delay; the queue of one that is used by nobody goes when there are more.
const MAX_IDLE_QUEUES = 64;

/**
 * Creates a {@linkcode Wheel}; its timer does not keep the process alive.
 *
 * Entries are links, not members of a Map or Set: V8 links each table that one of those outgrows to the next, so
 * that one table that has become old keeps whatever came after it alive, until a full collection.
 */
export function createWheel(
  { now = () => performance.now(), createTimer = createPlatformTimer }: WheelDeps = {},
): Wheel {
  const queues = new Map<number, Queue>();
  let nextTick = Infinity;
  const setTimer = createTimer(turn);

  function wake(tick: number): void {
    if (tick >= nextTick) return;
    nextTick = tick;
    setTimer(Math.max(0, tick * TICK_MS - now()));
  }

  function turn(): void {
    nextTick = Infinity;
    const current = Math.floor(now() / TICK_MS);
    for (const entry of takeDue(current)) if (entry.waits) call(entry);
    if (queues.size > MAX_IDLE_QUEUES) forgetIdleQueues();
    for (const { behind } of queues.values()) if (isEntry(behind)) wake(behind.tick);
  }

  /** All of them at once, in the order of their time: a callback may set and clear others. */
  function takeDue(current: number): readonly Linked[] {
    const due: Linked[] = [];
    for (const { behind } of queues.values()) {
      for (let link = behind; isEntry(link) && link.tick <= current; link = link.behind) {
        due.push(link);
      }
    }
    return due.toSorted((a, b) => a.tick - b.tick);
  }

  function call(entry: Linked): void {
    unlink(entry);
    entry.callback();
  }

  function forgetIdleQueues(): void {
    for (const [delayMs, queue] of queues) if (!isEntry(queue.behind)) queues.delete(delayMs);
  }

  return {
    set(delayMs, callback, from = now()): Entry {
      let queue = queues.get(delayMs);
      if (queue === undefined) queues.set(delayMs, queue = createQueue());
      const last = queue.before;
      const tick = Math.ceil((from + delayMs) / TICK_MS);
      const entry: Linked = {
        tick,
        callback,
        isQueue: false,
        waits: true,
        before: last,
        behind: queue,
      };
      last.behind = entry;
      queue.before = entry;
      wake(tick);
      return entry;
    },
    clear(entry): void {
      const linked = entry as Linked; // nobody else makes them
      if (linked.waits) unlink(linked);
    },
  };
}

function createQueue(): Queue {
  const queue: { -readonly [K in keyof Queue]?: Queue[K] } = { isQueue: true };
  queue.before = queue as Queue; // whole when both of its ends are itself
  queue.behind = queue as Queue;
  return queue as Queue;
}

function isEntry(link: Link): link is Linked {
  return "tick" in link;
}

/** It keeps no other alive, and no other keeps it. */
function unlink(entry: Linked): void {
  entry.before.behind = entry.behind;
  entry.behind.before = entry.before;
  entry.before = entry;
  entry.behind = entry;
  entry.waits = false;
}

// Deno's timers hold a signed 32-bit number of milliseconds; a turn that comes early sets the next one.
const MAX_DELAY_MS = 2 ** 31 - 1;

function createPlatformTimer(callback: () => void): (delayMs: number) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (delayMs) => {
    clearTimeout(timer);
    timer = setTimeout(callback, Math.min(delayMs, MAX_DELAY_MS));
    Deno.unrefTimer(timer);
  };
}

/**
 * The slot of one worker: a worker that ends is replaced by another in the same slot.
 *
 * @module
 */
import { type Clock, systemClock } from "../clock.ts";
import type { FromWorker, FromWorkerOfType, StartMessage, ToWorker } from "./messages.ts";
import type { StartThread, Thread } from "./thread.ts";

/** The current worker of a slot. */
export interface WorkerSlot {
  /** From 0. */
  readonly index: number;
  /** Whether the worker accepts connections. */
  readonly isListening: boolean;
  post(message: ToWorker): void;
  /** Fulfils with the next message of this type, or with `ended` if the worker ends first. */
  next<Type extends FromWorker["type"]>(type: Type): Promise<FromWorkerOfType<Type | "ended">>;
}

/** How a slot starts and replaces its workers. */
export interface WorkerSlotDeps {
  readonly startThread: StartThread;
  /** Returns the first message to a worker. */
  readonly toStart: () => StartMessage;
  /** Called with every message of the slot's workers. */
  readonly onMessage: (slot: WorkerSlot, message: FromWorker) => void;
  /** Returns whether a worker that has ended is to be replaced. Asked again after the pause before it. */
  readonly isReplaced: () => boolean;
  readonly clock?: Clock;
}

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 30_000;
// A worker that ran for longer did not end for the same reason as the one before it.
const STABLE_MS = 60_000;

/** Creates a {@linkcode WorkerSlot} and starts its first worker. The pause before a replacement doubles each time. */
export function createWorkerSlot(
  index: number,
  { startThread, toStart, onMessage, isReplaced, clock = systemClock }: WorkerSlotDeps,
): WorkerSlot {
  const waiting = new Map<FromWorker["type"], PromiseWithResolvers<FromWorker>>();
  let isListening = false;
  let startedAt = 0;
  let pauseMs = FIRST_PAUSE_MS;

  function start(): Thread {
    startedAt = clock.now();
    let hasEnded = false;
    return startThread(toStart(), (message) => {
      if (hasEnded) return; // messages that the worker sent before it ended may arrive after `ended`
      hasEnded = message.type === "ended";
      receive(message);
    });
  }

  function receive(message: FromWorker): void {
    const { type } = message;
    if (type === "listening") isListening = true;
    if (type === "ended") isListening = false;
    const settled = type === "ended" ? [...waiting.keys()] : [type];
    for (const key of settled) {
      waiting.get(key)?.resolve(message);
      waiting.delete(key);
    }
    onMessage(slot, message);
    if (type === "ended" && isReplaced()) replace();
  }

  function replace(): void {
    if (clock.now() - startedAt > STABLE_MS) pauseMs = FIRST_PAUSE_MS;
    clock.after(pauseMs, () => {
      if (isReplaced()) thread = start();
    });
    pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS);
  }

  const slot: WorkerSlot = {
    index,
    get isListening(): boolean {
      return isListening;
    },
    post: (message) => thread.post(message),
    next<Type extends FromWorker["type"]>(type: Type): Promise<FromWorkerOfType<Type | "ended">> {
      const next = waiting.get(type) ?? Promise.withResolvers<FromWorker>();
      waiting.set(type, next);
      // `receive` resolves it with a message of this type, or with `ended`.
      return next.promise as Promise<FromWorkerOfType<Type | "ended">>;
    },
  };
  let thread = start();
  return slot;
}

/**
 * A place among the workers: who is there is replaced when it ends.
 *
 * @module
 */
import type { FromWorker, StartMessage, ToWorker } from "./messages.ts";
import type { StartThread, Thread } from "./thread.ts";

/** A worker, and those that take its place. */
export interface Member {
  readonly index: number;
  /** Whether it serves. */
  readonly isListening: boolean;
  post(message: ToWorker): void;
  /** Fulfils with the next message of this type, or with `ended`. */
  next<Type extends FromWorker["type"]>(
    type: Type,
  ): Promise<Extract<FromWorker, { type: Type | "ended" }>>;
}

/** What a member works with. */
export interface MemberDeps {
  readonly startThread: StartThread;
  /** Gives what a worker is started with. */
  readonly toStart: () => StartMessage;
  /** Is told everything that workers say. */
  readonly onMessage: (member: Member, message: FromWorker) => void;
  /** Whether one that has ended is replaced. */
  readonly isReplaced: () => boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  /** Calls back after so many milliseconds. */
  readonly after?: (ms: number, action: () => void) => void;
}

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 30_000;
// One that has lived for so long did not fail for the reason that the one before it did.
const FORGIVEN_MS = 60_000;

/** Creates a {@linkcode Member} and starts its worker. */
export function createMember(
  index: number,
  {
    startThread,
    toStart,
    onMessage,
    isReplaced,
    now = () => performance.now(),
    after = (ms, action) => setTimeout(action, ms),
  }: MemberDeps,
): Member {
  const waiting = new Map<FromWorker["type"], PromiseWithResolvers<FromWorker>>();
  let isListening = false;
  let startedAt = 0;
  let pauseMs = FIRST_PAUSE_MS;

  function start(): Thread {
    startedAt = now();
    let hasEnded = false;
    return startThread(toStart(), (message) => {
      if (hasEnded) return; // what it said before may come behind the news of its end
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
    onMessage(member, message);
    if (type === "ended" && isReplaced()) replace();
  }

  function replace(): void {
    if (now() - startedAt > FORGIVEN_MS) pauseMs = FIRST_PAUSE_MS;
    after(pauseMs, () => {
      if (isReplaced()) thread = start();
    });
    pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS);
  }

  const member: Member = {
    index,
    get isListening(): boolean {
      return isListening;
    },
    post: (message) => thread.post(message),
    next<Type extends FromWorker["type"]>(
      type: Type,
    ): Promise<Extract<FromWorker, { type: Type | "ended" }>> {
      const next = waiting.get(type) ?? Promise.withResolvers<FromWorker>();
      waiting.set(type, next);
      // Only messages of this type settle it, and the last one.
      return next.promise as Promise<Extract<FromWorker, { type: Type | "ended" }>>;
    },
  };
  let thread = start();
  return member;
}

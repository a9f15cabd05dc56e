/**
 * Time: the only timers in the service. Parts that wait take a {@linkcode Clock}, so that their tests need not wait.
 *
 * @module
 */
import { clearImmediate, setImmediate } from "node:timers";

/** Reads the time and calls back later. */
export interface Clock {
  /** Returns milliseconds of a clock that never goes back. */
  now(): number;
  /** Returns milliseconds since the epoch. */
  epochMs(): number;
  /** Calls `action` once, after `delayMs` milliseconds, unless the returned function is called before. */
  after(delayMs: number, action: () => void): Cancel;
  /** Calls `action` every `intervalMs` milliseconds until the returned function is called. */
  every(intervalMs: number, action: () => void): Cancel;
  /** Calls `action` in the next turn of the event loop unless the returned function is called before. */
  soon(action: () => void): Cancel;
  /** Calls `action` in a later turn of the event loop, after the runtime has looked for input of sockets. */
  afterInput(action: () => void): void;
}

/** Takes back a call that was asked for; does nothing after that call. */
export type Cancel = () => void;

// Deno's timers hold a signed 32-bit number of milliseconds.
const MAX_DELAY_MS = 2 ** 31 - 1;

// Deno's runtime (tokio's `event_interval`) looks for input when there is nothing else to do, or after so many turns.
const TURNS_BETWEEN_INPUT = 61;

/** The platform's clock. No timer keeps the process alive: its listener and its sockets do. */
export const systemClock: Clock = {
  now: () => performance.now(),
  epochMs: () => Date.now(),
  after,
  every(intervalMs, action): Cancel {
    const timer = setInterval(action, intervalMs);
    Deno.unrefTimer(timer);
    return () => clearInterval(timer);
  },
  soon(action): Cancel {
    const immediate = setImmediate(action);
    return () => clearImmediate(immediate);
  },
  afterInput(action): void {
    let left = TURNS_BETWEEN_INPUT;
    const turn = (): void => {
      if (left-- === 0) action();
      else setImmediate(turn);
    };
    setImmediate(turn);
  },
};

function after(delayMs: number, action: () => void): Cancel {
  if (delayMs > MAX_DELAY_MS) {
    let cancel = after(MAX_DELAY_MS, () => {
      cancel = after(delayMs - MAX_DELAY_MS, action);
    });
    return () => cancel();
  }
  const timer = setTimeout(action, Math.max(0, delayMs));
  Deno.unrefTimer(timer);
  return () => clearTimeout(timer);
}

/**
 * Fulfils after `delayMs` milliseconds. It leaves neither a timer nor a listener behind.
 *
 * @throws The signal's reason, as a rejection, when it is aborted before.
 */
export function wait(delayMs: number, signal: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const abort = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
    signal.addEventListener("abort", abort, { once: true });
  });
}

/**
 * Keeps the process alive until the returned object is disposed of, for waits without a listener or a socket. Neither
 * timers nor signal listeners do that.
 */
export function keepProcessAlive(): Disposable {
  const { port1: port } = new MessageChannel();
  port.onmessage = () => {}; // a port with a handler keeps the event loop running
  return { [Symbol.dispose]: () => port.close() };
}

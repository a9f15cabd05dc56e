/**
 * Finds out that a connection is dead: pings it while something is in flight, and expects to hear anything.
 *
 * @module
 */
import { type Timers, unref } from "./timers.ts";

/** When to ping, and how long to wait. */
export interface HeartbeatOptions {
  /** Milliseconds between pings while something is in flight. Default 20,000. */
  readonly pingIntervalMs?: number;
  /** Milliseconds after a ping until a silent connection is given up. Default 10,000. */
  readonly pongTimeoutMs?: number;
}

/** What a heartbeat needs. */
export interface HeartbeatDeps {
  readonly timers: Timers;
  /** Sends a ping. */
  ping(): void;
  /** Nothing was heard in time. */
  died(): void;
}

/** Watches over a connection. */
export interface Heartbeat {
  /** Begins to watch, unless it does. */
  start(): void;
  /** The peer was heard. */
  heard(): void;
  stop(): void;
}

/** Creates a {@linkcode Heartbeat}, which does not watch yet. */
export function createHeartbeat(
  { pingIntervalMs = 20_000, pongTimeoutMs = 10_000 }: HeartbeatOptions,
  { timers, ping, died }: HeartbeatDeps,
): Heartbeat {
  let timer: unknown;
  let isWaiting = false;

  function wait(callback: () => void, delayMs: number): void {
    timers.clearTimeout(timer);
    timer = unref(timers.setTimeout(callback, delayMs));
  }

  function rest(): void {
    isWaiting = false;
    wait(() => {
      isWaiting = true;
      wait(died, pongTimeoutMs);
      ping();
    }, pingIntervalMs);
  }

  return {
    start(): void {
      if (timer === undefined) rest();
    },
    heard(): void {
      if (isWaiting) rest();
    },
    stop(): void {
      timers.clearTimeout(timer);
      timer = undefined;
      isWaiting = false;
    },
  };
}

/**
 * Detects a lost connection: sends pings while exchanges are in flight and expects a message after each.
 *
 * @module
 */
import type { ClientOptions } from "./options.ts";
import { type ClientTimers, unref } from "./timers.ts";

/** Sends pings while it runs. */
export interface Heartbeat {
  /** Starts the heartbeat unless it runs. */
  start(): void;
  /** Records that a message has arrived. */
  heard(): void;
  stop(): void;
}

/** Creates a stopped {@linkcode Heartbeat}, which calls `lost` when no message arrives within the timeout. */
export function createHeartbeat(
  { pingIntervalMs = 20_000, pongTimeoutMs = 10_000 }: ClientOptions,
  { timers, ping, lost }: { readonly timers: ClientTimers; ping(): void; lost(): void },
): Heartbeat {
  let timer: unknown;
  let isWaiting = false;

  function schedule(callback: () => void, delayMs: number): void {
    timers.clearTimeout(timer);
    timer = unref(timers.setTimeout(callback, delayMs));
  }

  function schedulePing(): void {
    isWaiting = false;
    schedule(() => {
      isWaiting = true;
      schedule(lost, pongTimeoutMs);
      ping();
    }, pingIntervalMs);
  }

  return {
    start(): void {
      if (timer === undefined) schedulePing();
    },
    heard(): void {
      if (isWaiting) schedulePing();
    },
    stop(): void {
      timers.clearTimeout(timer);
      timer = undefined;
      isWaiting = false;
    },
  };
}

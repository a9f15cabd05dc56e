/**
 * The time that an exchange has for what it does now.
 *
 * @module
 */
import type { ProxyError } from "../protocol/mod.ts";
import type { Entry, Wheel } from "../exchange/wheel.ts";

/** One deadline at a time; when it passes, its controller is aborted with its error. */
export interface Deadline {
  /** Sets the deadline, in place of the one before; `from` as of {@linkcode Wheel.set}. */
  set(timeoutMs: number, toError: () => ProxyError, from?: number): void;
  clear(): void;
}

/** Creates a {@linkcode Deadline} that is not set. */
export function createDeadline(controller: AbortController, wheel: Wheel): Deadline {
  let entry: Entry | undefined;
  function clear(): void {
    if (entry !== undefined) wheel.clear(entry);
    entry = undefined;
  }
  return {
    set(timeoutMs, toError, from): void {
      clear();
      entry = wheel.set(timeoutMs, () => controller.abort(toError()), from);
    },
    clear,
  };
}

/**
 * The time that an exchange has for what it does now.
 *
 * @module
 */
import type { ProxyError } from "../protocol/mod.ts";

/** One deadline at a time; when it passes, its controller is aborted with its error. */
export interface Deadline {
  /** Sets the deadline, in place of the one before. */
  set(timeoutMs: number, toError: () => ProxyError): void;
  clear(): void;
}

/** Creates a {@linkcode Deadline} that is not set. */
export function createDeadline(controller: AbortController): Deadline {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    set(timeoutMs, toError): void {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(toError()), timeoutMs);
    },
    clear(): void {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

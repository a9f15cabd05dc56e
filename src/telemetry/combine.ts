/**
 * Several receivers of events as one.
 *
 * @module
 */
import type { Telemetry } from "./telemetry.ts";

/**
 * Returns a {@linkcode Telemetry} that passes each event to all the given ones, in their order. When one of them
 * throws, the others still receive the event, and a `failed` event with the error.
 */
export function combine(...telemetries: readonly Telemetry[]): Telemetry {
  const [first = NONE, ...rest] = telemetries;
  return rest.reduce(combineTwo, first);
}

function combineTwo(first: Telemetry, second: Telemetry): Telemetry {
  return {
    wantsAllowedHops: first.wantsAllowedHops || second.wantsAllowedHops,
    emit(event): void {
      try {
        first.emit(event);
      } catch (error) {
        report(second, error);
      }
      try {
        second.emit(event);
      } catch (error) {
        report(first, error);
      }
    },
  };
}

function report(telemetry: Telemetry, error: unknown): void {
  try {
    telemetry.emit({ type: "failed", error });
  } catch {
    // Both have failed: no receiver is left that could report the error.
  }
}

const NONE: Telemetry = { wantsAllowedHops: false, emit: () => {} };

/**
 * Several listeners as one.
 *
 * @module
 */
import type { Telemetry } from "./telemetry.ts";

/**
 * Gives a {@linkcode Telemetry} that tells all of them, in their order. One that throws keeps no other from
 * being told: the others are told of its failure as well.
 */
export function combine(...telemetries: readonly Telemetry[]): Telemetry {
  const [first = NOBODY, ...rest] = telemetries;
  return rest.reduce(combineTwo, first);
}

function combineTwo(first: Telemetry, second: Telemetry): Telemetry {
  function tellBoth(tell: (telemetry: Telemetry) => void): void {
    try {
      tell(first);
    } catch (error) {
      report(second, error);
    }
    try {
      tell(second);
    } catch (error) {
      report(first, error);
    }
  }

  return {
    started: (event) => tellBoth((each) => each.started(event)),
    draining: (event) => tellBoth((each) => each.draining(event)),
    stopped: () => tellBoth((each) => each.stopped()),
    reloaded: (event) => tellBoth((each) => each.reloaded(event)),
    connected: (event) => tellBoth((each) => each.connected(event)),
    disconnected: (event) => tellBoth((each) => each.disconnected(event)),
    refused: (event) => tellBoth((each) => each.refused(event)),
    authenticated: (event) => tellBoth((each) => each.authenticated(event)),
    malformed: (event) => tellBoth((each) => each.malformed(event)),
    paused: (event) => tellBoth((each) => each.paused(event)),
    decided: (event) => tellBoth((each) => each.decided(event)),
    exchanged: (event) => tellBoth((each) => each.exchanged(event)),
    failed: (event) => tellBoth((each) => each.failed(event)),
  };
}

function report(telemetry: Telemetry, error: unknown): void {
  try {
    telemetry.failed({ error });
  } catch {
    // Both have failed: nobody is left to be told.
  }
}

const NOBODY: Telemetry = {
  started: () => {},
  draining: () => {},
  stopped: () => {},
  reloaded: () => {},
  connected: () => {},
  disconnected: () => {},
  refused: () => {},
  authenticated: () => {},
  malformed: () => {},
  paused: () => {},
  decided: () => {},
  exchanged: () => {},
  failed: () => {},
};

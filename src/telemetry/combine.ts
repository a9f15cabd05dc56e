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
  // Made once, so that telling of an event makes nothing.
  function both<Event>(
    tellFirst: (event: Event) => void,
    tellSecond: (event: Event) => void,
  ): (event: Event) => void {
    return (event) => {
      try {
        tellFirst(event);
      } catch (error) {
        report(second, error);
      }
      try {
        tellSecond(event);
      } catch (error) {
        report(first, error);
      }
    };
  }

  return {
    hearsAllowed: first.hearsAllowed || second.hearsAllowed,
    started: both(first.started, second.started),
    draining: both(first.draining, second.draining),
    stopped: both<void>(first.stopped, second.stopped),
    reloaded: both(first.reloaded, second.reloaded),
    connected: both(first.connected, second.connected),
    disconnected: both(first.disconnected, second.disconnected),
    refused: both(first.refused, second.refused),
    authenticated: both(first.authenticated, second.authenticated),
    malformed: both(first.malformed, second.malformed),
    paused: both(first.paused, second.paused),
    decided: both(first.decided, second.decided),
    exchanged: both(first.exchanged, second.exchanged),
    failed: both(first.failed, second.failed),
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
  hearsAllowed: false,
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

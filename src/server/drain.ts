/**
 * The drain of the service: its connections accept no new requests and close when their running exchanges have ended.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Connection } from "../connection/connection.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

/** The drain of all connections. */
export interface Drain {
  /** Reports whether the drain has started; it never stops. */
  isDraining(): boolean;
  /**
   * Starts the drain unless it has started. Fulfils when all connections have ended, at the latest two seconds after
   * the grace.
   */
  start(): Promise<void>;
}

// After the grace: time for the errors of running exchanges and for the closing handshakes.
const CLOSE_MS = 2000;

/**
 * Creates the drain of a set of connections.
 *
 * @param graceMs Time for running exchanges to end; then they fail.
 */
export function createDrain(
  connections: ReadonlySet<Connection>,
  { graceMs, telemetry, clock }: {
    readonly graceMs: number;
    readonly telemetry: Telemetry;
    readonly clock: Clock;
  },
): Drain {
  let ended: Promise<void> | undefined;
  let hasStarted = false;

  async function drainAll(draining: readonly Connection[]): Promise<void> {
    telemetry.emit({ type: "draining", connections: draining.length, graceMs });
    const cancelGrace = clock.after(graceMs, () => draining.forEach((each) => each.endGrace()));
    const late = Promise.withResolvers<void>();
    const cancelLate = clock.after(graceMs + CLOSE_MS, late.resolve);
    for (const connection of draining) connection.drain(graceMs);
    await Promise.race([Promise.all(draining.map(({ gone }) => gone)), late.promise]);
    cancelGrace();
    cancelLate();
  }

  return {
    isDraining: () => hasStarted,
    start(): Promise<void> {
      hasStarted = true;
      return ended ??= drainAll([...connections]);
    },
  };
}

/** Returns how many exchanges the connections run. */
export function countInFlight(connections: ReadonlySet<Connection>): number {
  let count = 0;
  for (const { inFlight } of connections) count += inFlight.size;
  return count;
}

/**
 * A program that prints metrics, to be run in a process that has only the permission to use the network.
 *
 * @module
 */
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { ALL } from "./events.ts";

if (import.meta.main) {
  using metrics = createMetrics({ version: "1.2.3" }, { connections: () => 1, inFlight: () => 2 });
  for (const event of ALL) metrics.telemetry.emit(event);
  Deno.stdout.writeSync(new TextEncoder().encode(await metrics.render()));
}

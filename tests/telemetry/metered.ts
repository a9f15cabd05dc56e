/**
 * A program that renders metrics, for a process that may do nothing but use the network.
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

/**
 * A limiter's options for whoever tests something else, and to begin with.
 *
 * @module
 */
import type { LimiterOptions } from "../../src/limits/limiter.ts";

/** Nothing is limited or counted. */
export const NO_LIMITS: LimiterOptions = {
  maxConnections: 0,
  maxInFlight: 0,
  requestsPerSecond: 0,
  requestBurst: 0,
  bytesPerMinute: 0,
};

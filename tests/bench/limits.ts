/**
 * What the limits cost an exchange: the time of admitExchange(), spend() and the end of the lease, without limits,
 * with each of them and with all. No limit is reached.
 *
 * Run: `deno run --allow-all tests/bench/limits.ts`
 */
import { createLimiter, isLimitExceeded, type LimiterOptions } from "../../src/limits/limiter.ts";
import { createMemoryStore } from "../../src/limits/memory_store.ts";
import { NO_LIMITS } from "../helpers/limits.ts";

const EXCHANGES = 20_000;
const ROUNDS = 9;
const KEYS = Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`);
const RESPONSE_BYTES = 1024;
const ENOUGH = 2 ** 50;
const ALL: LimiterOptions = {
  maxConnections: ENOUGH,
  maxInFlight: ENOUGH,
  requestsPerSecond: ENOUGH,
  requestBurst: ENOUGH,
  bytesPerMinute: ENOUGH,
};

const CASES: readonly { readonly name: string; readonly options: LimiterOptions }[] = [
  { name: "no limits", options: NO_LIMITS },
  { name: "in flight", options: { ...NO_LIMITS, maxInFlight: ENOUGH } },
  { name: "requests", options: { ...NO_LIMITS, requestsPerSecond: ENOUGH } },
  {
    name: "requests, from the burst",
    options: { ...NO_LIMITS, requestsPerSecond: 1, requestBurst: ENOUGH },
  },
  { name: "bytes", options: { ...NO_LIMITS, bytesPerMinute: ENOUGH } },
  { name: "all", options: ALL },
];

/** Microseconds of one exchange. A promise is waited for only where there is one, as the service does. */
async function measure(options: LimiterOptions): Promise<number> {
  using limiter = createLimiter(options, createMemoryStore);
  const startedAt = performance.now();
  for (let i = 0; i < EXCHANGES; i++) {
    const key = KEYS[i % KEYS.length] ?? "";
    const begun = limiter.admitExchange(key);
    const lease = begun instanceof Promise ? await begun : begun;
    if (isLimitExceeded(lease)) throw new Error(lease.message);
    const spent = limiter.spend(key, RESPONSE_BYTES);
    if (spent !== undefined) await spent;
    lease[Symbol.dispose]();
  }
  return (performance.now() - startedAt) * 1000 / EXCHANGES;
}

for (const { options } of CASES) await measure(options); // warms up

for (const { name, options } of CASES) {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push(await measure(options));
  const sorted = times.toSorted((a, b) => a - b);
  const [fastest = NaN] = sorted;
  const median = sorted[(ROUNDS - 1) / 2] ?? NaN;
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.log(`${name}: ${median.toFixed(3)} µs an exchange, at best ${fastest.toFixed(3)}`);
}

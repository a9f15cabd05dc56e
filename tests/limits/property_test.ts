/**
 * In any order of leases, no key holds more than its limits, and in the end no key holds a place.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  createLimiter,
  isLimitExceeded,
  type Lease,
  type LimitExceeded,
} from "../../src/limits/limiter.ts";
import { createMemoryStore } from "../../src/limits/memory_store.ts";

const KEYS = ["a", "b", "2001:db8::1"] as const;
const KINDS = ["admitConnection", "admitExchange"] as const;

type Kind = typeof KINDS[number];

interface Step {
  readonly type: Kind | "dispose";
  readonly key: typeof KEYS[number];
  /** Selects one of the leases so far, disposed of or not. */
  readonly pick: number;
  /** Waits for the calls before it. */
  readonly settles: boolean;
}

interface Held {
  readonly lease: Lease;
  readonly place: string;
  disposed: boolean;
}

const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  type: fc.constantFrom("admitConnection", "admitExchange", "admitExchange", "dispose", "dispose"),
  key: fc.constantFrom(...KEYS),
  pick: fc.nat(100),
  settles: fc.boolean(),
});

const optionsArbitrary = fc.record({
  maxConnections: fc.integer({ min: 1, max: 4 }),
  maxInFlight: fc.integer({ min: 1, max: 4 }),
  requestsPerSecond: fc.constantFrom(0, 1, 3, 100),
  requestBurst: fc.constantFrom(0, 2),
  bytesPerMinute: fc.constantFrom(0, 1000),
});

Deno.test("no order of leases lets a key hold more than its limits, or keeps a place", async () => {
  await fc.assert(
    fc.asyncProperty(
      optionsArbitrary,
      fc.array(stepArbitrary, { maxLength: 60 }),
      async (options, steps) => {
        using limiter = createLimiter(options, createMemoryStore);
        const max = { admitConnection: options.maxConnections, admitExchange: options.maxInFlight };
        const counts = new Map<string, number>();
        const leases: Held[] = [];
        const underWay: Promise<void>[] = [];

        const add = (place: string, by: number): void => {
          counts.set(place, (counts.get(place) ?? 0) + by);
        };
        const take = (kind: Kind, key: string, taken: Lease | LimitExceeded): void => {
          const place = `${kind} ${key}`;
          if (!isLimitExceeded(taken)) {
            add(place, 1);
            leases.push({ lease: taken, place, disposed: false });
          }
          const count = counts.get(place) ?? 0;
          assert(count <= max[kind], `${place} holds ${count}`);
        };

        for (const { type, key, pick, settles } of steps) {
          if (settles) await Promise.all(underWay.splice(0));
          if (type === "dispose") {
            const held = leases[pick % Math.max(leases.length, 1)];
            held?.lease[Symbol.dispose]();
            if (held?.disposed === false) add(held.place, -1);
            if (held !== undefined) held.disposed = true;
            continue;
          }
          const wasFull = (counts.get(`${type} ${key}`) ?? 0) >= max[type];
          const taken = limiter[type](key);
          if (taken instanceof Promise) {
            assert(!wasFull);
            underWay.push(taken.then((value) => take(type, key, value)));
            continue;
          }
          if (isLimitExceeded(taken)) {
            assertEquals(taken.limit, type === "admitConnection" ? "connections" : "inFlight");
            assert(wasFull || underWay.length > 0, "refused, but a place was free");
          } else assert(!wasFull, "a place too many");
          take(type, key, taken);
        }

        await Promise.all(underWay);
        for (const { lease } of leases) lease[Symbol.dispose]();
        const { requestsPerSecond, bytesPerMinute } = options;
        for (const key of KEYS) {
          assertRoom(() => limiter.admitConnection(key), max.admitConnection);
          if (requestsPerSecond + bytesPerMinute > 0) continue; // a request too many hides the place
          assertRoom(() => limiter.admitExchange(key), max.admitExchange);
        }
      },
    ),
    { numRuns: 300 },
  );
});

/** Asserts that exactly `max` places are left. */
function assertRoom(
  take: () => Lease | LimitExceeded | Promise<Lease | LimitExceeded>,
  max: number,
): void {
  const taken = Array.from({ length: max + 1 }, take);
  assertEquals(
    taken.map((value) => !(value instanceof Promise) && isLimitExceeded(value)),
    Array.from({ length: max + 1 }, (_, i) => i === max),
  );
}

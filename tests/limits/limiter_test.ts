import { assert, assertEquals, assertRejects, assertStrictEquals, fail } from "@std/assert";
import type { Clock } from "../../src/clock.ts";
import {
  createLimiter,
  isLimitExceeded,
  type Lease,
  type Limiter,
  type LimitExceeded,
} from "../../src/limits/limiter.ts";
import { createMemoryStore } from "../../src/limits/memory_store.ts";
import { createSharedStore, STORE_COLUMNS } from "../../src/limits/shared_store.ts";
import { allocateTable } from "../../src/limits/shared_table.ts";
import type { CreateStore, Store, StoreDecision, StoreOptions } from "../../src/limits/store.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { NO_LIMITS } from "../helpers/limits.ts";

const HOUR_MS = 3_600_000;
const ALLOWED: StoreDecision = { allowed: true, retryAfterMs: 0 };
const noStore: CreateStore = () => fail("no store is needed");

/** A store that records its calls. */
interface FakeStore extends Store {
  readonly calls: string[];
}

/** Creates a store that returns these decisions, or rejects with these errors, one for each call; then it allows. */
function fakeStore(outcomes: (StoreDecision | Error)[] = []): FakeStore {
  const calls: string[] = [];
  const record = (call: string): Promise<StoreDecision> => {
    calls.push(call);
    const outcome = outcomes.shift() ?? ALLOWED;
    return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
  };
  return {
    calls,
    consume: (key, points) => record(`consume ${key} ${points}`),
    peek: (key) => record(`peek ${key}`),
    [Symbol.dispose]: () => void calls.push("dispose"),
  };
}

function refusal(retryAfterMs: number): StoreDecision {
  return { allowed: false, retryAfterMs };
}

/** Fulfils when everything that does not wait for a timer has run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Creates memory stores whose windows are longer than any test. */
const endless: CreateStore = (options) =>
  createMemoryStore({ ...options, durationMs: HOUR_MS, burstMs: HOUR_MS });

function assertLease(value: Lease | LimitExceeded): Lease {
  if (isLimitExceeded(value)) throw new Error(`The limit ${value.limit} is reached`);
  return value;
}

function assertExceeded(value: Lease | LimitExceeded): LimitExceeded {
  if (!isLimitExceeded(value)) throw new Error("No limit is reached");
  return value;
}

function assertNoPromise(
  value: Lease | LimitExceeded | Promise<Lease | LimitExceeded>,
): Lease | LimitExceeded {
  if (value instanceof Promise) throw new Error("A store was asked");
  return value;
}

Deno.test("a limiter without limits returns the same lease every time and no promise", () => {
  using limiter = createLimiter(NO_LIMITS, noStore);
  const lease = limiter.admitExchange("a");
  for (let i = 0; i < 1000; i++) {
    assertStrictEquals(limiter.admitExchange(`key ${i}`), lease);
    assertStrictEquals(limiter.admitConnection("a"), lease);
    assertEquals(limiter.spend("a", 2 ** 40), undefined);
  }
});

Deno.test("createLimiter() creates the stores that its limits need", () => {
  const asked: StoreOptions[] = [];
  const createStore: CreateStore = (options) => {
    asked.push(options);
    return fakeStore();
  };
  createLimiter({ ...NO_LIMITS, maxConnections: 1, maxInFlight: 1, requestBurst: 9 }, createStore);
  assertEquals(asked.splice(0), []);
  createLimiter({ ...NO_LIMITS, requestsPerSecond: 5 }, createStore);
  assertEquals(asked.splice(0), [{ points: 5, durationMs: 1000 }]);
  createLimiter({ ...NO_LIMITS, requestsPerSecond: 5, requestBurst: 9 }, createStore);
  assertEquals(asked.splice(0), [{ points: 5, durationMs: 1000, burst: 9, burstMs: 10_000 }]);
  createLimiter({ ...NO_LIMITS, bytesPerMinute: 7 }, createStore);
  assertEquals(asked.splice(0), [{ points: 7, durationMs: 60_000 }]);
});

const LIMITS = [
  {
    name: "connections",
    options: { maxConnections: 1 },
    use: (limiter: Limiter) => limiter.admitConnection("a"),
    expected: {
      limit: "connections",
      max: 1,
      retryAfterMs: 1000,
      message:
        "The limit of connections at a time is 1; close one and try again, or ask the operator, who sets it with LIMIT_CONNECTIONS",
    },
  },
  {
    name: "exchanges in flight",
    options: { maxInFlight: 1 },
    use: (limiter: Limiter) => limiter.admitExchange("a"),
    expected: {
      limit: "inFlight",
      max: 1,
      retryAfterMs: 1000,
      message: "The limit of requests in flight is 1; wait until one has ended and try again",
    },
  },
  {
    name: "requests per second",
    options: { requestsPerSecond: 1 },
    use: (limiter: Limiter) => limiter.admitExchange("a"),
    expected: {
      limit: "requests",
      max: 1,
      retryAfterMs: 900,
      message: "The limit of requests per second is 1; wait and try again",
    },
  },
  {
    name: "bytes per minute",
    options: { bytesPerMinute: 1 },
    use: (limiter: Limiter) => limiter.admitExchange("a"),
    expected: {
      limit: "bytes",
      max: 1,
      retryAfterMs: 900,
      message:
        "The limit of response bytes per minute is 1; wait for the next minute and try again",
    },
  },
] as const;

for (const { name, options, use, expected } of LIMITS) {
  Deno.test(`createLimiter() tells that a limit of ${name} is reached`, async () => {
    const store = fakeStore([ALLOWED, refusal(900)]);
    using limiter = createLimiter({ ...NO_LIMITS, ...options }, () => store);
    assertLease(await use(limiter));
    assertEquals(assertExceeded(await use(limiter)), expected);
    assert(!JSON.stringify(expected).includes('"a"'));
  });
}

Deno.test("admitConnection() and admitExchange() count apart, and each key by itself", () => {
  using limiter = createLimiter({ ...NO_LIMITS, maxConnections: 1, maxInFlight: 1 }, noStore);
  for (const key of ["a", "b"]) {
    using connection = assertLease(limiter.admitConnection(key));
    assertLease(assertNoPromise(limiter.admitExchange(key)));
    assertEquals(assertExceeded(limiter.admitConnection(key)).limit, "connections");
    connection[Symbol.dispose]();
    assertLease(limiter.admitConnection(key));
  }
});

Deno.test("admitExchange() refuses at once when too many are in flight, and counts no request", async () => {
  const store = fakeStore();
  using limiter = createLimiter(
    { ...NO_LIMITS, maxInFlight: 1, requestsPerSecond: 1 },
    () => store,
  );
  const lease = await limiter.admitExchange("a");
  assertEquals(assertExceeded(assertNoPromise(limiter.admitExchange("a"))).limit, "inFlight");
  assertEquals(store.calls, ["consume a 1"]);
  assertLease(lease)[Symbol.dispose]();
  assertLease(await limiter.admitExchange("a"));
});

Deno.test("admitExchange() takes its place before it asks a store, so that no two get the last one", async () => {
  using limiter = createLimiter(
    { ...NO_LIMITS, maxInFlight: 2, requestsPerSecond: 9 },
    () => fakeStore(),
  );
  const begun = await Promise.all([1, 2, 3].map(() => limiter.admitExchange("a")));
  assertEquals(begun.map(isLimitExceeded), [false, false, true]);
});

Deno.test("admitExchange() counts no request when the key has used up its bytes", async () => {
  const bytes = fakeStore([refusal(5)]);
  const requests = fakeStore();
  const options = { ...NO_LIMITS, requestsPerSecond: 1, bytesPerMinute: 1 };
  using limiter = createLimiter(
    options,
    ({ durationMs }) => durationMs === 1000 ? requests : bytes,
  );
  assertEquals(assertExceeded(await limiter.admitExchange("a")).limit, "bytes");
  assertEquals([bytes.calls, requests.calls], [["peek a"], []]);
  assertLease(await limiter.admitExchange("a"));
  assertEquals([bytes.calls, requests.calls], [["peek a", "peek a"], ["consume a 1"]]);
});

for (const limit of ["requestsPerSecond", "bytesPerMinute"] as const) {
  Deno.test(`admitExchange() gives its place back when ${limit} is reached`, async () => {
    const store = fakeStore([refusal(5), refusal(5)]);
    using limiter = createLimiter({ ...NO_LIMITS, maxInFlight: 1, [limit]: 1 }, () => store);
    for (const _ of [1, 2]) {
      assert(assertExceeded(await limiter.admitExchange("a")).limit !== "inFlight");
    }
    assertLease(await limiter.admitExchange("a"));
    assertEquals(assertExceeded(await limiter.admitExchange("a")).limit, "inFlight");
  });

  Deno.test(`admitExchange() gives its place back when the store of ${limit} fails`, async () => {
    const down = new Error("the store is down");
    const store = fakeStore([down, down]);
    using limiter = createLimiter({ ...NO_LIMITS, maxInFlight: 1, [limit]: 1 }, () => store);
    for (const _ of [1, 2]) {
      assertStrictEquals(await assertRejects(async () => await limiter.admitExchange("a")), down);
    }
    assertLease(await limiter.admitExchange("a"));
    assertEquals(assertExceeded(await limiter.admitExchange("a")).limit, "inFlight");
  });
}

Deno.test("admitExchange() allows the rate and the burst, then refuses", async () => {
  using limiter = createLimiter(
    { ...NO_LIMITS, requestsPerSecond: 2, requestBurst: 3 },
    endless,
  );
  for (let i = 0; i < 5; i++) assertLease(await limiter.admitExchange("a"));
  const { limit, retryAfterMs } = assertExceeded(await limiter.admitExchange("a"));
  assertEquals(limit, "requests");
  assert(retryAfterMs > 0 && retryAfterMs <= HOUR_MS);
  assertLease(await limiter.admitExchange("b"));
});

Deno.test("admitExchange() refuses a key that has used more than its bytes, and no other key", async () => {
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 100 }, endless);
  await limiter.spend("a", 99);
  assertLease(await limiter.admitExchange("a"));
  await limiter.spend("a", 5000); // the piece that exceeds the limit is sent
  assertEquals(assertExceeded(await limiter.admitExchange("a")).limit, "bytes");
  const controller = new AbortController();
  const spent = limiter.spend("a", 1, controller.signal);
  assertLease(await limiter.admitExchange("b"));
  controller.abort(new Error("over"));
  await assertRejects(async () => await spent, Error, "over");
  assertEquals(assertExceeded(await limiter.admitExchange("a")).limit, "bytes");
});

/** A clock on which nothing may wait. */
const noTimer: Clock = { ...createFakeClock(), after: () => fail("there is no reason to wait") };

Deno.test("spend() does not wait while the key has bytes left", async () => {
  const store = fakeStore();
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, () => store, {
    clock: noTimer,
  });
  await limiter.spend("a", 5);
  assertEquals(limiter.spend("a", 0), undefined);
  assertEquals(store.calls, ["peek a", "consume a 5"]);
});

Deno.test("spend() waits as long as the store says, and asks again without counting", async () => {
  const clock = createFakeClock();
  const store = fakeStore([refusal(20_000), refusal(700)]);
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, () => store, { clock });
  const waits = [clock.until(20_000), clock.until(700)];
  const spending = limiter.spend("a", 10);
  await waits[0];
  assertEquals([clock.delays, store.calls], [[20_000], ["peek a"]]);
  clock.advance(20_000);
  await waits[1];
  assertEquals([clock.delays, store.calls], [[700], ["peek a", "peek a"]]);
  clock.advance(700);
  await spending;
  assertEquals([clock.delays, store.calls.length], [[], 4]);
  assertEquals(store.calls.slice(2), ["peek a", "consume a 10"]);
});

Deno.test("spend() goes on when the window of a store is over", async () => {
  const clock = createFakeClock();
  const createStore: CreateStore = (options) =>
    createSharedStore(options, allocateTable({ keys: 1, columns: STORE_COLUMNS }), {
      index: 0,
      clock,
    });
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, createStore, { clock });
  await limiter.spend("a", 10);
  for (const bytes of [10, 1]) {
    await limiter.spend("a", 0);
    assertExceeded(await limiter.admitExchange("a"));
    const waiting = clock.until(60_000);
    const spending = limiter.spend("a", bytes);
    await waiting;
    clock.advance(60_000);
    await spending;
  }
  assertLease(await limiter.admitExchange("a"));
});

/** Bytes of 8 streams in each of three windows. They send pieces of 30 bytes where 241 are allowed. */
const PARALLEL = [
  // The ninth piece exceeds the limit.
  { name: "one after the other", atOnce: false, expected: [270, 270, 270] },
  // After one piece of each stream the limit is not reached, so all send again: this is the most there can be.
  { name: "all at once", atOnce: true, expected: [480, 480, 480] },
];

for (const { name, atOnce, expected } of PARALLEL) {
  Deno.test(`spend() allows streams of a key that send ${name} no more than the limit and a piece each`, async () => {
    const streams = 8;
    let used = 0;
    let gone = 0;
    const windows: number[] = [];
    const waiting: (() => void)[] = [];
    let allWait = Promise.withResolvers<void>();
    const clock: Clock = {
      ...createFakeClock(),
      after(_delayMs, action): () => void {
        if (waiting.push(action) === streams) allWait.resolve();
        return () => {};
      },
    };
    const decide = (): Promise<StoreDecision> => Promise.resolve(used < 241 ? ALLOWED : refusal(1));
    const store: Store = {
      consume: (_key, bytes) => (used += bytes, decide()),
      peek: decide,
      [Symbol.dispose]: () => {},
    };
    const limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 241 }, () => store, { clock });
    const stream = async (): Promise<void> => {
      while (windows.length < expected.length && gone <= 241 + streams * 30) {
        await limiter.spend("a", 30);
        gone += 30;
        if (!atOnce) await turn(); // sending takes a moment
      }
    };

    const sending: Promise<void>[] = [];
    for (let i = 0; i < streams; i++) {
      sending.push(stream());
      if (!atOnce) await turn();
    }
    while (windows.length < expected.length) {
      await Promise.race([allWait.promise, Promise.all(sending)]); // a stream that sent too much ends
      windows.push(gone);
      if (windows.length === expected.length) limiter[Symbol.dispose]();
      allWait = Promise.withResolvers();
      [used, gone] = [0, 0];
      for (const wake of waiting.splice(0)) {
        wake();
        if (!atOnce) await turn();
      }
    }
    await Promise.all(sending);
    assertEquals(windows, expected);
  });
}

Deno.test("spend() rejects with the signal's reason, before its wait and during it", async () => {
  const clock = createFakeClock();
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, endless, { clock });
  await limiter.spend("a", 10);
  const controller = new AbortController();
  const reason = new Error("the client has gone");
  const waiting = limiter.spend("a", 10, controller.signal);
  assertEquals(assertExceeded(await limiter.admitExchange("a")).limit, "bytes"); // by now it waits
  assertEquals(clock.delays.length, 1);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(async () => await waiting), reason);
  const again = limiter.spend("a", 10, controller.signal);
  assertStrictEquals(await assertRejects(async () => await again), reason);
  assertEquals(clock.delays, []);
});

Deno.test("spend() counts bytes even if its signal is aborted", async () => {
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, endless);
  await limiter.spend("a", 9, AbortSignal.abort());
  assertEquals(assertExceeded(await limiter.admitExchange("a")).limit, "bytes");
});

/** A clock on which every wait is over at once. */
const impatient: Clock = {
  ...createFakeClock(),
  after(_delayMs, action): () => void {
    queueMicrotask(action);
    return () => {};
  },
};

Deno.test("spend() rejects with the error of the store", async () => {
  const down = new Error("the store is down");
  const store = fakeStore([down, refusal(1), down, ALLOWED, down]);
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, () => store, {
    clock: impatient,
  });
  for (const _ of [1, 2, 3]) {
    assertStrictEquals(await assertRejects(async () => await limiter.spend("a", 1)), down);
  }
  assertEquals(store.calls, ["peek a", "peek a", "peek a", "peek a", "consume a 1"]);
});

Deno.test("spend() rejects with the error of its wait", async () => {
  const failure = new Error("no timer");
  const after = (): never => {
    throw failure;
  };
  const clock: Clock = { ...createFakeClock(), after };
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, endless, { clock });
  await limiter.spend("a", 10);
  assertStrictEquals(await assertRejects(async () => await limiter.spend("a", 10)), failure);
});

Deno.test("a limiter that is disposed of ends all waits, and disposes of its stores", async () => {
  const clock = createFakeClock();
  const stores: FakeStore[] = [];
  const limiter = createLimiter(
    { ...NO_LIMITS, requestsPerSecond: 1, bytesPerMinute: 9 },
    () => {
      const store = fakeStore(Array.from({ length: 100 }, () => refusal(HOUR_MS)));
      stores.push(store);
      return store;
    },
    { clock },
  );
  const waiting = [limiter.spend("a", 10), limiter.spend("a", 1, new AbortController().signal)];
  assertEquals(assertExceeded(await limiter.admitExchange("a")).limit, "bytes"); // by now they wait
  assertEquals(clock.delays, [HOUR_MS, HOUR_MS]);
  limiter[Symbol.dispose]();
  await Promise.all(waiting);
  assertEquals(clock.delays, []);
  assert(stores.length === 2 && stores.every(({ calls }) => calls.includes("dispose")));
  const bytes = stores.find(({ calls }) => calls.includes("peek a"));
  assertEquals(bytes?.calls, ["peek a", "peek a", "peek a", "dispose"]);
});

Deno.test("count() counts and never waits, even above the limit", async () => {
  const store = fakeStore([ALLOWED, refusal(HOUR_MS)]);
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, () => store, {
    clock: noTimer,
  });
  assertEquals(limiter.count("a", 0), undefined);
  for (const bytes of [5, 5]) assertEquals(await limiter.count("a", bytes), undefined);
  assertEquals(store.calls, ["consume a 5", "consume a 5"]);
});

Deno.test("count() uses up the bytes of the key's requests and streams", async () => {
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, endless);
  await limiter.count("a", 10);
  assertEquals(assertExceeded(await limiter.admitExchange("a")).limit, "bytes");
  const over = new Error("over");
  const spent = limiter.spend("a", 1, AbortSignal.abort(over));
  assertStrictEquals(await assertRejects(async () => await spent), over);
  assertLease(await limiter.admitExchange("b"));
});

Deno.test("count() asks no store where bytes have no limit", () => {
  using limiter = createLimiter({ ...NO_LIMITS, maxInFlight: 1 }, noStore);
  assertEquals(limiter.count("a", 2 ** 40), undefined);
});

Deno.test("count() rejects with the error of the store", async () => {
  const down = new Error("the store is down");
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, () => fakeStore([down]));
  assertStrictEquals(await assertRejects(async () => await limiter.count("a", 1)), down);
});

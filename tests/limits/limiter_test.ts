import { assert, assertEquals, assertRejects, assertStrictEquals, fail } from "@std/assert";
import {
  type Breach,
  createLimiter,
  isBreach,
  type Lease,
  type Limiter,
} from "../../src/limits/limiter.ts";
import { createMemoryStore } from "../../src/limits/memory_store.ts";
import type { CreateStore, Store, StoreOptions, Verdict } from "../../src/limits/store.ts";
import { NO_LIMITS } from "../helpers/limits.ts";

const HOUR_MS = 3_600_000;
const ALLOWED: Verdict = { allowed: true, retryAfterMs: 0 };
const noStore: CreateStore = () => fail("no store is needed");

/** A store that says what it is told to, and writes down what it is asked. */
interface FakeStore extends Store {
  readonly calls: string[];
  /** What it says next, in turn; then that it allows. An error: it rejects. */
  readonly answers: (Verdict | Error)[];
}

function fakeStore(answers: (Verdict | Error)[] = []): FakeStore {
  const calls: string[] = [];
  const answer = (call: string): Promise<Verdict> => {
    calls.push(call);
    const next = answers.shift() ?? ALLOWED;
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  };
  return {
    calls,
    answers,
    consume: (key, points) => answer(`consume ${key} ${points}`),
    peek: (key) => answer(`peek ${key}`),
    [Symbol.dispose]: () => void calls.push("dispose"),
  };
}

function refusal(retryAfterMs: number): Verdict {
  return { allowed: false, retryAfterMs };
}

/** Lets everything that does not wait for a timer go on. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Memory stores whose windows no test outlives. */
const endless: CreateStore = (options) =>
  createMemoryStore({ ...options, durationMs: HOUR_MS, burstMs: HOUR_MS });

function assertLease(value: Lease | Breach): Lease {
  if (isBreach(value)) throw new Error(`The limit ${value.limit} is reached`);
  return value;
}

function assertBreach(value: Lease | Breach): Breach {
  if (!isBreach(value)) throw new Error("No limit is reached");
  return value;
}

function assertAtOnce(value: Lease | Breach | Promise<Lease | Breach>): Lease | Breach {
  if (value instanceof Promise) throw new Error("Something has to be asked");
  return value;
}

Deno.test("createLimiter() costs nothing without limits", () => {
  using limiter = createLimiter(NO_LIMITS, noStore);
  const lease = limiter.begin("a");
  for (let i = 0; i < 1000; i++) {
    assertStrictEquals(limiter.begin(`key ${i}`), lease);
    assertStrictEquals(limiter.connect("a"), lease);
    assertEquals(limiter.spend("a", 2 ** 40), undefined);
  }
});

Deno.test("createLimiter() asks for the stores that its limits need", () => {
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

const BREACHES = [
  {
    name: "connections",
    options: { maxConnections: 1 },
    use: (limiter: Limiter) => limiter.connect("a"),
    expected: {
      limit: "connections",
      max: 1,
      retryAfterMs: 1000,
      message: "The limit of connections at a time is 1; close one and try again",
    },
  },
  {
    name: "exchanges in flight",
    options: { maxInFlight: 1 },
    use: (limiter: Limiter) => limiter.begin("a"),
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
    use: (limiter: Limiter) => limiter.begin("a"),
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
    use: (limiter: Limiter) => limiter.begin("a"),
    expected: {
      limit: "bytes",
      max: 1,
      retryAfterMs: 900,
      message:
        "The limit of response bytes per minute is 1; wait for the next minute and try again",
    },
  },
] as const;

for (const { name, options, use, expected } of BREACHES) {
  Deno.test(`createLimiter() tells that a limit of ${name} is reached`, async () => {
    const store = fakeStore([ALLOWED, refusal(900)]);
    using limiter = createLimiter({ ...NO_LIMITS, ...options }, () => store);
    assertLease(await use(limiter));
    assertEquals(assertBreach(await use(limiter)), expected);
    assert(!JSON.stringify(expected).includes('"a"'));
  });
}

Deno.test("connect() and begin() count apart, and each key by itself", () => {
  using limiter = createLimiter({ ...NO_LIMITS, maxConnections: 1, maxInFlight: 1 }, noStore);
  for (const key of ["a", "b"]) {
    using connection = assertLease(limiter.connect(key));
    assertLease(assertAtOnce(limiter.begin(key)));
    assertEquals(assertBreach(limiter.connect(key)).limit, "connections");
    connection[Symbol.dispose]();
    assertLease(limiter.connect(key));
  }
});

Deno.test("begin() refuses at once when too many are in flight, and counts no request", async () => {
  const store = fakeStore();
  using limiter = createLimiter(
    { ...NO_LIMITS, maxInFlight: 1, requestsPerSecond: 1 },
    () => store,
  );
  const lease = await limiter.begin("a");
  assertEquals(assertBreach(assertAtOnce(limiter.begin("a"))).limit, "inFlight");
  assertEquals(store.calls, ["consume a 1"]);
  assertLease(lease)[Symbol.dispose]();
  assertLease(await limiter.begin("a"));
});

Deno.test("begin() takes its place before it asks, so that no two get the last", async () => {
  using limiter = createLimiter(
    { ...NO_LIMITS, maxInFlight: 2, requestsPerSecond: 9 },
    () => fakeStore(),
  );
  const begun = await Promise.all([1, 2, 3].map(() => limiter.begin("a")));
  assertEquals(begun.map(isBreach), [false, false, true]);
});

Deno.test("begin() counts no request when the key has used up its bytes", async () => {
  const bytes = fakeStore([refusal(5)]);
  const requests = fakeStore();
  const options = { ...NO_LIMITS, requestsPerSecond: 1, bytesPerMinute: 1 };
  using limiter = createLimiter(
    options,
    ({ durationMs }) => durationMs === 1000 ? requests : bytes,
  );
  assertEquals(assertBreach(await limiter.begin("a")).limit, "bytes");
  assertEquals([bytes.calls, requests.calls], [["peek a"], []]);
  assertLease(await limiter.begin("a"));
  assertEquals([bytes.calls, requests.calls], [["peek a", "peek a"], ["consume a 1"]]);
});

for (const limit of ["requestsPerSecond", "bytesPerMinute"] as const) {
  Deno.test(`begin() gives its place back when ${limit} is reached`, async () => {
    const store = fakeStore([refusal(5), refusal(5)]);
    using limiter = createLimiter({ ...NO_LIMITS, maxInFlight: 1, [limit]: 1 }, () => store);
    for (const _ of [1, 2]) assert(assertBreach(await limiter.begin("a")).limit !== "inFlight");
    assertLease(await limiter.begin("a"));
    assertEquals(assertBreach(await limiter.begin("a")).limit, "inFlight");
  });

  Deno.test(`begin() gives its place back when the store of ${limit} fails`, async () => {
    const down = new Error("the store is down");
    const store = fakeStore([down, down]);
    using limiter = createLimiter({ ...NO_LIMITS, maxInFlight: 1, [limit]: 1 }, () => store);
    for (const _ of [1, 2]) {
      assertStrictEquals(await assertRejects(async () => await limiter.begin("a")), down);
    }
    assertLease(await limiter.begin("a"));
    assertEquals(assertBreach(await limiter.begin("a")).limit, "inFlight");
  });
}

Deno.test("begin() allows the rate and the burst, then refuses", async () => {
  using limiter = createLimiter(
    { ...NO_LIMITS, requestsPerSecond: 2, requestBurst: 3 },
    endless,
  );
  for (let i = 0; i < 5; i++) assertLease(await limiter.begin("a"));
  const { limit, retryAfterMs } = assertBreach(await limiter.begin("a"));
  assertEquals(limit, "requests");
  assert(retryAfterMs > 0 && retryAfterMs <= HOUR_MS);
  assertLease(await limiter.begin("b"));
});

Deno.test("begin() refuses a key that has overdrawn its bytes, and no other", async () => {
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 100 }, endless);
  await limiter.spend("a", 99);
  assertLease(await limiter.begin("a"));
  await limiter.spend("a", 5000); // the piece that overdraws goes
  assertEquals(assertBreach(await limiter.begin("a")).limit, "bytes");
  const controller = new AbortController();
  const spent = limiter.spend("a", 1, controller.signal);
  assertLease(await limiter.begin("b"));
  controller.abort(new Error("over"));
  await assertRejects(async () => await spent, Error, "over");
  assertEquals(assertBreach(await limiter.begin("a")).limit, "bytes");
});

Deno.test("spend() does not wait while the key may have more", async () => {
  const store = fakeStore();
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, () => store, {
    wait: () => fail("nothing is to be waited for"),
  });
  await limiter.spend("a", 5);
  assertEquals(limiter.spend("a", 0), undefined);
  assertEquals(store.calls, ["peek a", "consume a 5"]);
});

Deno.test("spend() waits as long as the store says, and asks again without counting", async () => {
  const waits: number[] = [];
  const store = fakeStore([refusal(20_000), refusal(700)]);
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, () => store, {
    wait: (ms) => Promise.resolve(void waits.push(ms)),
  });
  await limiter.spend("a", 10);
  assertEquals(waits, [20_000, 700]);
  assertEquals(store.calls, ["peek a", "peek a", "peek a", "consume a 10"]);
});

Deno.test("spend() goes on when the window of a memory store is over", async () => {
  const createStore: CreateStore = (options) => createMemoryStore({ ...options, durationMs: 50 });
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, createStore);
  for (let times = 0; times < 3; times++) await limiter.spend("a", 10);
  await limiter.spend("a", 0);
  assertBreach(await limiter.begin("a"));
  await limiter.spend("a", 1);
  assertLease(await limiter.begin("a"));
});

/** 8 streams that send pieces of 30 bytes where 241 may go, over three windows. */
const PARALLEL = [
  // The ninth piece overdraws.
  { name: "one after the other", atOnce: false, expected: [270, 270, 270] },
  // The limit is not reached by a piece each, so that all go again: the most there can be.
  { name: "all at once", atOnce: true, expected: [480, 480, 480] },
];

for (const { name, atOnce, expected } of PARALLEL) {
  Deno.test(`spend() lets streams of a key that ask ${name} have no more than the limit and a piece each`, async () => {
    const streams = 8;
    let used = 0;
    let gone = 0;
    const windows: number[] = [];
    const waiting: (() => void)[] = [];
    let allWait = Promise.withResolvers<void>();
    const say = (): Promise<Verdict> => Promise.resolve(used < 241 ? ALLOWED : refusal(1));
    const store: Store = {
      consume: (_key, bytes) => (used += bytes, say()),
      peek: say,
      [Symbol.dispose]: () => {},
    };
    const limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 241 }, () => store, {
      wait: () =>
        new Promise((resolve) => {
          if (waiting.push(resolve) === streams) allWait.resolve();
        }),
    });
    const stream = async (): Promise<void> => {
      while (windows.length < expected.length && gone <= 241 + streams * 30) {
        await limiter.spend("a", 30);
        gone += 30;
        if (!atOnce) await turn(); // what is sent takes its time
      }
    };

    const sending: Promise<void>[] = [];
    for (let i = 0; i < streams; i++) {
      sending.push(stream());
      if (!atOnce) await turn();
    }
    while (windows.length < expected.length) {
      await Promise.race([allWait.promise, Promise.all(sending)]); // who has had too much ends
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

Deno.test("spend() rejects with the signal's reason, before its wait and during it", {
  sanitizeOps: true,
}, async () => {
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, endless);
  await limiter.spend("a", 10);
  const controller = new AbortController();
  const reason = new Error("the client has gone");
  const waiting = limiter.spend("a", 10, controller.signal);
  assertEquals(assertBreach(await limiter.begin("a")).limit, "bytes"); // by now it waits
  controller.abort(reason);
  assertStrictEquals(await assertRejects(async () => await waiting), reason);
  const again = limiter.spend("a", 10, controller.signal);
  assertStrictEquals(await assertRejects(async () => await again), reason);
});

Deno.test("spend() counts what was sent, though its signal was aborted", async () => {
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, endless);
  await limiter.spend("a", 9, AbortSignal.abort());
  assertEquals(assertBreach(await limiter.begin("a")).limit, "bytes");
});

Deno.test("spend() rejects with what keeps the store from answering", async () => {
  const down = new Error("the store is down");
  const store = fakeStore([down, refusal(1), down, ALLOWED, down]);
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, () => store, {
    wait: () => Promise.resolve(),
  });
  for (const _ of [1, 2, 3]) {
    assertStrictEquals(await assertRejects(async () => await limiter.spend("a", 1)), down);
  }
  assertEquals(store.calls, ["peek a", "peek a", "peek a", "peek a", "consume a 1"]);
});

Deno.test("spend() rejects with what its wait rejects with", async () => {
  const failure = new Error("no timer");
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, endless, {
    wait: () => Promise.reject(failure),
  });
  await limiter.spend("a", 10);
  assertStrictEquals(await assertRejects(async () => await limiter.spend("a", 10)), failure);
});

Deno.test("createLimiter() lets go of whoever waits when it is disposed of, and of its stores", {
  sanitizeOps: true,
}, async () => {
  const stores: FakeStore[] = [];
  const limiter = createLimiter(
    { ...NO_LIMITS, requestsPerSecond: 1, bytesPerMinute: 9 },
    () => {
      const store = fakeStore(Array.from({ length: 100 }, () => refusal(HOUR_MS)));
      stores.push(store);
      return store;
    },
  );
  const waiting = [limiter.spend("a", 10), limiter.spend("a", 1, new AbortController().signal)];
  assertEquals(assertBreach(await limiter.begin("a")).limit, "bytes"); // by now they wait
  limiter[Symbol.dispose]();
  await Promise.all(waiting);
  assert(stores.length === 2 && stores.every(({ calls }) => calls.includes("dispose")));
  const bytes = stores.find(({ calls }) => calls.includes("peek a"));
  assertEquals(bytes?.calls, ["peek a", "peek a", "peek a", "dispose"]);
});

Deno.test("count() counts and never waits, though the key has overdrawn", async () => {
  const store = fakeStore([ALLOWED, refusal(HOUR_MS)]);
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, () => store, {
    wait: () => fail("nothing is to be waited for"),
  });
  assertEquals(limiter.count("a", 0), undefined);
  for (const bytes of [5, 5]) assertEquals(await limiter.count("a", bytes), undefined);
  assertEquals(store.calls, ["consume a 5", "consume a 5"]);
});

Deno.test("count() leaves nothing for the requests and streams of a key that has overdrawn", async () => {
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, endless);
  await limiter.count("a", 10);
  assertEquals(assertBreach(await limiter.begin("a")).limit, "bytes");
  const over = new Error("over");
  const spent = limiter.spend("a", 1, AbortSignal.abort(over));
  assertStrictEquals(await assertRejects(async () => await spent), over);
  assertLease(await limiter.begin("b"));
});

Deno.test("count() asks no store where bytes have no limit", () => {
  using limiter = createLimiter({ ...NO_LIMITS, maxInFlight: 1 }, noStore);
  assertEquals(limiter.count("a", 2 ** 40), undefined);
});

Deno.test("count() rejects with what keeps the store from counting", async () => {
  const down = new Error("the store is down");
  using limiter = createLimiter({ ...NO_LIMITS, bytesPerMinute: 9 }, () => fakeStore([down]));
  assertStrictEquals(await assertRejects(async () => await limiter.count("a", 1)), down);
});

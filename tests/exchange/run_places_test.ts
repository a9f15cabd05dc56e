/**
 * What an exchange waits for before its request is made, limits and a place, and when it gives them back.
 */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { Lease } from "../../src/limits/limiter.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import type { Upstream } from "../../src/upstream/registry.ts";
import {
  createFakeBody,
  createFakeLimiter,
  createFakeOutlet,
  createFakeRegistry,
  createRunnerBench,
  DRAINING,
  lastCall,
  PLACES,
  recordTelemetry,
  type RunnerBench,
  settle,
} from "../helpers/exchange.ts";

/** A limiter whose lease says whether it is held. */
function createLeases(begin: (lease: Lease) => Lease | Promise<Lease> = (lease) => lease): {
  readonly limiter: ReturnType<typeof createFakeLimiter>;
  readonly held: () => number;
  readonly keys: string[];
} {
  let held = 0;
  const keys: string[] = [];
  const limiter = createFakeLimiter({
    admitExchange(key): Lease | Promise<Lease> {
      keys.push(key);
      held++;
      return begin({ [Symbol.dispose]: () => void held-- });
    },
  });
  return { limiter, held: () => held, keys };
}

Deno.test("run() holds its lease until the response was delivered, and gives it back before an error is sent", async () => {
  const { limiter, held, keys } = createLeases();
  const bench = createRunnerBench({ limiter });
  const seen: unknown[] = [];
  const outlet = createFakeOutlet((method) => void seen.push([method, held()]));
  for (const stream of [false, "lines"] as const) {
    const { done } = bench.start({ stream }, outlet);
    lastCall(bench).respond({ body: createFakeBody(["a"]) });
    await done;
    assertEquals(held(), 0);
  }
  await bench.start({ method: "BREW" }, outlet).done;
  assertEquals(seen, [
    ...[["ready", 1], ["whole", 1]],
    ...[["ready", 1], ["head", 1], ["event", 1], ["end", 1]],
    ["fail", 0],
  ]);
  assertEquals(keys, ["k", "k", "k"]);
});

Deno.test("run() fails an exchange whose limit is reached, as rate_limited", async () => {
  for (const isLate of [true, false]) {
    const breach = { limit: "requests", max: 1, retryAfterMs: 20, message: "Wait" } as const;
    const limiter = createFakeLimiter({
      admitExchange: () => isLate ? Promise.resolve(breach) : breach,
    });
    const bench = createRunnerBench({ limiter });
    const { outlet, done } = bench.start();
    await done;
    const { code, message, retryAfterMs, sent, retryable } = outlet.last("fail").error;
    assertEquals([code, message, retryAfterMs], ["rate_limited", "Wait", 20]);
    assertEquals([sent, retryable, bench.calls.length], ["no", true, 0]);
  }
});

Deno.test("run() counts the time that a limit takes as queueMs, and not as part of what the request takes", async () => {
  const asked = Promise.withResolvers<void>();
  const { limiter } = createLeases((lease) => asked.promise.then(() => lease));
  const bench = createRunnerBench({ limiter });
  const { outlet, done } = bench.start();
  bench.clock.advance(100);
  assertEquals(bench.calls.length, 0);
  asked.resolve();
  await settle();
  bench.clock.advance(7);
  lastCall(bench).respond();
  await done;
  const { timing } = outlet.last("whole");
  assertEquals(timing, { queueMs: 100, waitMs: 107, transferMs: 0, totalMs: 107 });
});

Deno.test("run() neither refuses nor makes a request that ended while it waited for a limit", async () => {
  for (const end of ["fail", "cancel"] as const) {
    for (const isFull of [true, false]) {
      const asked = Promise.withResolvers<void>();
      let isFirst = true;
      const { limiter, held } = createLeases((lease) => {
        if (!isFirst) return lease;
        isFirst = false;
        return asked.promise.then(() => lease);
      });
      const bench = createRunnerBench({ limiter });
      const { exchange, outlet, done } = bench.start();
      const running = isFull ? bench.occupy() : [];
      if (end === "fail") exchange.fail(DRAINING);
      else exchange.cancel();
      asked.resolve();
      await done; // it does not wait for a place, either
      if (end === "cancel") assertEquals(outlet.parts, []);
      else assertEquals(outlet.last("fail").error, DRAINING, 'sent: "no", retryable');
      assertEquals([bench.calls.length, held()], [running.length, running.length]);
    }
  }
});

Deno.test("run() starts as many exchanges as there are places, and the next when one has ended", async () => {
  const bench = createRunnerBench();
  const [first] = bench.occupy();
  const { exchange, outlet, done } = bench.start();
  assertEquals([bench.calls.length, exchange.stage], [PLACES, "place"]);
  bench.clock.advance(4);
  bench.calls[0]?.respond();
  await first?.done;
  bench.clock.turn();
  await settle();
  assertEquals([bench.calls.length, exchange.stage], [PLACES + 1, "head"]);
  lastCall(bench).respond();
  await done;
  assertEquals(outlet.last("whole").timing.queueMs, 4);
});

Deno.test("run() does not let wait what it refuses", async () => {
  const registry = createFakeRegistry();
  const bench = createRunnerBench({
    registry: {
      ...registry,
      find(): Upstream {
        throw new ProxyError("unknown_upstream", "There is none");
      },
    },
  });
  bench.occupy();
  for (
    const [request, code] of [
      [{ method: "BREW" }, "unsupported_method"],
      [{ target: { upstream: "none", path: "/" } }, "unknown_upstream"],
    ] as const
  ) {
    const { outlet, done, exchange } = bench.start(request);
    await done;
    assertEquals([outlet.last("fail").error.code, exchange.stage], [code, "limit"]);
  }
});

for (const end of ["fail", "cancel"] as const) {
  Deno.test(`run() ends an exchange at once that is ended by ${end}() while it waits for a place`, async () => {
    const bench = createRunnerBench();
    const running = bench.occupy();
    const { exchange, outlet, done } = bench.start({ method: "POST" });
    if (end === "fail") exchange.fail(DRAINING);
    else exchange.cancel();
    await done;
    assertEquals([bench.calls.length, exchange.record.outcome], [
      PLACES,
      end === "fail" ? "error" : "cancelled",
    ]);
    if (end === "cancel") assertEquals(outlet.parts, []);
    else assertEquals(outlet.last("fail").error, DRAINING, 'sent: "no", retryable');
    assertEquals(
      [exchange.stage, exchange.record.decision],
      ["place", "none"],
      "no hop was checked",
    );
    // It took no place: exactly one is free when one of the others has ended.
    bench.calls[0]?.respond();
    await running[0]?.done;
    bench.start();
    bench.start();
    bench.clock.turn();
    await settle();
    assertEquals(bench.calls.length, PLACES + 1);
  });
}

/** Reports whether exactly one place is free, by starting two exchanges that want one. */
async function isOneFree(bench: RunnerBench): Promise<boolean> {
  const { length } = bench.calls;
  bench.start();
  bench.start();
  bench.clock.turn();
  await settle();
  return bench.calls.length === length + 1;
}

Deno.test("run() gives its place back when the response streams, and no second one when it has ended", async () => {
  for (const stream of [true, "lines"] as const) {
    const taken = Promise.withResolvers<void>();
    const outlet = createFakeOutlet((method) => method === "head" ? taken.promise : undefined);
    const bench = createRunnerBench();
    const { done } = bench.start({ stream }, outlet);
    const call = lastCall(bench);
    for (let taken = 1; taken < PLACES; taken++) bench.start();
    call.respond({ body: createFakeBody(["a"], { isHere: false }) });
    await settle();
    assertEquals(outlet.parts.map(({ type }) => type), ["head"]);
    assert(await isOneFree(bench));
    taken.resolve();
    await done;
    bench.clock.turn();
    await settle();
    assertEquals(bench.calls.length, PLACES + 1, "the second one still waits");
  }
});

Deno.test("run() keeps its place while a whole response waits for its client", async () => {
  const taken = Promise.withResolvers<void>();
  const outlet = createFakeOutlet((method) => method === "whole" ? taken.promise : undefined);
  const bench = createRunnerBench();
  const { done } = bench.start({}, outlet);
  lastCall(bench).respond();
  for (let taken = 1; taken < PLACES; taken++) bench.start();
  await settle();
  bench.start();
  bench.clock.turn();
  assertEquals(bench.calls.length, PLACES);
  taken.resolve();
  await done;
  bench.clock.turn();
  await settle();
  assertEquals(bench.calls.length, PLACES + 1);
});

Deno.test("run() gives its place back before it sends an error", async () => {
  const taken = Promise.withResolvers<void>();
  const outlet = createFakeOutlet((method) => method === "fail" ? taken.promise : undefined);
  const bench = createRunnerBench();
  const { done } = bench.start({}, outlet);
  lastCall(bench).fail(new ProxyError("connection_refused", "Refused"));
  for (let taken = 1; taken < PLACES; taken++) bench.start();
  await settle();
  assertEquals(outlet.parts.map(({ type }) => type), ["fail"]);
  assert(await isOneFree(bench));
  taken.resolve();
  await done;
});

Deno.test("run() gives its place back though the log fails", async () => {
  const full = new Error("The log is full");
  const telemetry = recordTelemetry({
    before(): void {
      throw full;
    },
  });
  const bench = createRunnerBench({ telemetry });
  const { done } = bench.start();
  lastCall(bench).fail(new Error("a bug"));
  for (let taken = 1; taken < PLACES; taken++) bench.start();
  assertStrictEquals(await assertRejects(() => done), full);
  assert(await isOneFree(bench));
});

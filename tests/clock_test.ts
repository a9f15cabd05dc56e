import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { systemClock, wait } from "../src/clock.ts";
import { createFakeClock } from "./helpers/clock.ts";

Deno.test("systemClock.now() never goes back, epochMs() is the date", () => {
  const before = Date.now();
  const epochMs = systemClock.epochMs();
  assertEquals(before <= epochMs && epochMs <= Date.now(), true);
  const first = systemClock.now();
  assertEquals(systemClock.now() >= first, true);
});

Deno.test("systemClock.after() calls back once, and not when it was cancelled", async () => {
  const calls: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  using _alive = keepAlive();
  systemClock.after(0, () => calls.push("cancelled"))();
  systemClock.after(0, () => calls.push("called"));
  systemClock.after(1, resolve);
  await promise;
  assertEquals(calls, ["called"]);
});

Deno.test("systemClock.after() takes a delay beyond the platform's timers and a negative one", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _alive = keepAlive();
  const cancel = systemClock.after(2 ** 40, () => resolve());
  let isEarly = true;
  systemClock.after(-5, () => {
    isEarly = false;
    resolve();
  });
  await promise;
  cancel();
  assertEquals(isEarly, false, "the long delay was not cut to nothing");
});

Deno.test("systemClock.every() calls back again and again until it is cancelled", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _alive = keepAlive();
  let calls = 0;
  const cancel = systemClock.every(0, () => {
    if (++calls < 3) return;
    cancel();
    systemClock.after(2, resolve);
  });
  await promise;
  assertEquals(calls, 3);
});

Deno.test("systemClock.soon() calls back in another turn, and not when it was cancelled", async () => {
  const calls: string[] = [];
  systemClock.soon(() => calls.push("cancelled"))();
  await new Promise<void>((resolve) => {
    systemClock.soon(() => {
      calls.push("soon");
      resolve();
    });
    calls.push("now");
  });
  assertEquals(calls, ["now", "soon"]);
});

Deno.test("wait() fulfils when its time is over, and leaves no timer behind", async () => {
  const clock = createFakeClock();
  const waiting = wait(100, new AbortController().signal, clock);
  assertEquals(clock.delays, [100]);
  clock.advance(100);
  await waiting;
  assertEquals(clock.delays, []);
});

Deno.test("wait() rejects with the signal's reason at once, and leaves no timer behind", async () => {
  const clock = createFakeClock();
  const controller = new AbortController();
  const reason = new Error("enough");
  const waiting = wait(100, controller.signal, clock);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => waiting), reason);
  assertEquals(clock.delays, []);
  assertStrictEquals(await assertRejects(() => wait(100, controller.signal, clock)), reason);
  assertEquals(clock.delays, []);
});

/** Timers of the clock do not keep the process alive: something else has to. */
function keepAlive(): Disposable {
  const timer = setInterval(() => {}, 1000);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

for (const isKept of [true, false]) {
  Deno.test(`keepProcessAlive() decides whether a process waits for a timer: ${isKept ? "yes" : "no"}`, async () => {
    const clock = new URL("../src/clock.ts", import.meta.url).href;
    const code = `
      import { keepProcessAlive, systemClock } from ${JSON.stringify(clock)};
      const alive = keepProcessAlive();
      ${isKept ? "" : "alive[Symbol.dispose]();"}
      systemClock.after(100, () => {
        console.log("waited");
        alive[Symbol.dispose]();
      });
    `;
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", code],
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals([success, new TextDecoder().decode(stdout)], [true, isKept ? "waited\n" : ""]);
  });
}

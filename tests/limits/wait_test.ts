import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { wait } from "../../src/limits/wait.ts";

const HOUR_MS = 3_600_000;

/** A signal that counts who listens to it. */
function countingSignal(): { controller: AbortController; listeners: () => number } {
  const controller = new AbortController();
  const { signal } = controller;
  let count = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>): void => {
    count++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>): void => {
    count--;
    remove(...args);
  };
  return { controller, listeners: () => count };
}

Deno.test("wait() takes its time, and leaves no listener behind", async () => {
  const { controller, listeners } = countingSignal();
  const startedAt = performance.now();
  const waiting = wait(20, controller.signal);
  assertEquals(listeners(), 1);
  await waiting;
  assert(performance.now() - startedAt >= 19);
  assertEquals(listeners(), 0);
});

Deno.test("wait() rejects with the signal's reason, and leaves no timer behind", {
  sanitizeOps: true,
}, async () => {
  const reason = new Error("over");
  const controller = new AbortController();
  const waiting = wait(HOUR_MS, controller.signal);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => waiting), reason);
  assertStrictEquals(await assertRejects(() => wait(HOUR_MS, controller.signal)), reason);
});

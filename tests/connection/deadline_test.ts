import { assertEquals, assertStrictEquals } from "@std/assert";
import { createDeadline as create, type Deadline } from "../../src/connection/deadline.ts";
import { createWheel } from "../../src/exchange/wheel.ts";
import { ProxyError } from "../../src/protocol/mod.ts";

const error = (message: string): ProxyError => new ProxyError("http_response_timeout", message);

// Its timers keep the test alive.
const wheel = createWheel({
  createTimer: (callback) => (delayMs) => void setTimeout(callback, delayMs),
});
const createDeadline = (controller: AbortController): Deadline => create(controller, wheel);

/** Fulfils with the signal's reason when it is aborted. */
function aborted({ signal }: AbortController): Promise<unknown> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

Deno.test("set() aborts the controller with the error when the time has passed", async () => {
  const controller = new AbortController();
  const late = error("late");
  createDeadline(controller).set(1, () => late);
  assertStrictEquals(await aborted(controller), late);
});

Deno.test("set() asks for the error when the time has passed, not before", async () => {
  const controller = new AbortController();
  let stage = "lookup";
  createDeadline(controller).set(1, () => error(stage));
  stage = "head";
  const reason = await aborted(controller);
  assertEquals(reason instanceof ProxyError && reason.message, "head");
});

Deno.test("set() takes the place of the deadline before", async () => {
  const controller = new AbortController();
  const deadline = createDeadline(controller);
  deadline.set(1, () => error("first"));
  const second = error("second");
  deadline.set(5, () => second);
  assertStrictEquals(await aborted(controller), second);
});

Deno.test("clear() takes the deadline away, and may come twice", async () => {
  const [cleared, other] = [new AbortController(), new AbortController()];
  const deadline = createDeadline(cleared);
  deadline.clear();
  deadline.set(1, () => error("cleared"));
  deadline.clear();
  deadline.clear();
  createDeadline(other).set(20, () => error("other"));
  await aborted(other);
  assertEquals(cleared.signal.aborted, false);
});

Deno.test("set() may follow clear() and a deadline that has passed", async () => {
  const controller = new AbortController();
  const deadline = createDeadline(controller);
  deadline.set(1, () => error("cleared"));
  deadline.clear();
  const first = error("first");
  deadline.set(1, () => first);
  assertStrictEquals(await aborted(controller), first);
  deadline.set(60_000, () => error("second"));
  deadline.clear();
  assertStrictEquals(controller.signal.reason, first);
});

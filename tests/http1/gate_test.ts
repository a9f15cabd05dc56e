import { assertEquals, assertStrictEquals } from "@std/assert";
import { createGate, type Gate, type Place } from "../../src/http1/gate.ts";

/** A gate with two places on a clock that the test moves. */
function createBench(): { gate: Gate; tick(): void; timers(): number } {
  let due: (() => void) | undefined;
  let timers = 0;
  const gate = createGate({ places: 2, holdMs: 8 }, {
    later(callback, delayMs): void {
      assertEquals([delayMs, due], [8, undefined]);
      timers++;
      due = callback;
    },
  });
  return {
    gate,
    tick(): void {
      const callback = due;
      due = undefined;
      callback?.();
    },
    timers: () => timers,
  };
}

function now(entered: Place | Promise<Place>): Place {
  if (entered instanceof Promise) throw new Error("It waits");
  return entered;
}

Deno.test("enter() gives places at once while there are some, and no timer runs", () => {
  const { gate, timers } = createBench();
  for (let i = 0; i < 10; i++) {
    const [one, other] = [now(gate.enter()), now(gate.enter())];
    gate.leave(one);
    gate.leave(other);
  }
  assertEquals(timers(), 0);
});

Deno.test("leave() lets in who came first", async () => {
  const { gate } = createBench();
  const [one, other] = [now(gate.enter()), now(gate.enter())];
  const order: number[] = [];
  const waiting = [1, 2, 3].map(async (number) => {
    const place = await gate.enter();
    order.push(number);
    return place;
  });
  gate.leave(one);
  gate.leave(await waiting[0] ?? other);
  gate.leave(await waiting[1] ?? other);
  await waiting[2];
  assertEquals(order, [1, 2, 3]);
});

Deno.test("a place that is held for long counts no more, and handed back it frees none", async () => {
  const { gate, tick, timers } = createBench();
  const slow = [now(gate.enter()), now(gate.enter())];
  const waiting = [gate.enter(), gate.enter(), gate.enter()];
  tick();
  const pending = Symbol();
  assertStrictEquals(await Promise.race([waiting[0], Promise.resolve(pending)]), pending);
  tick();
  await Promise.all(waiting.slice(0, 2));
  for (const place of slow) gate.leave(place);
  assertStrictEquals(await Promise.race([waiting[2], Promise.resolve(pending)]), pending);
  tick();
  tick();
  await waiting[2];
  assertEquals(timers(), 4, "with nobody waiting no timer runs");
});

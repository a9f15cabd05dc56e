import { assertEquals, assertStrictEquals } from "@std/assert";
import { combine } from "../../src/telemetry/combine.ts";
import type { Telemetry, TelemetryEvent } from "../../src/telemetry/telemetry.ts";
import { ALL, createReceiver } from "./events.ts";

for (const count of [2, 3]) {
  Deno.test(`combine() passes every event to all ${count}, in their order`, () => {
    for (const event of ALL) {
      const received: unknown[] = [];
      const receivers = Array.from(
        { length: count },
        (_, index) => createReceiver((event) => received.push([index, event])),
      );
      combine(...receivers).emit(event);
      assertEquals(received, receivers.map((_, index) => [index, event]));
    }
  });
}

Deno.test("combine() of one is that one", () => {
  const receiver = createReceiver(() => {});
  assertStrictEquals(combine(receiver), receiver);
});

Deno.test("combine() of none accepts every event", () => {
  const told: TelemetryEvent[] = [];
  const receiver = createReceiver((event) => told.push(event));
  for (const event of ALL) {
    combine().emit(event);
    combine(combine(), receiver).emit(event);
  }
  assertEquals(told, ALL);
});

for (const broken of [0, 1, 2]) {
  Deno.test(`combine() tells the others of an event and of the failure when ${broken} throws`, () => {
    for (const event of ALL.filter(({ type }) => type !== "failed")) {
      const error = new Error("broken");
      const received: (readonly [number, TelemetryEvent])[] = [];
      const receivers = [0, 1, 2].map((index) =>
        createReceiver((event) => {
          if (index === broken) throw error;
          received.push([index, event]);
        })
      );
      combine(...receivers).emit(event);
      for (const index of [0, 1, 2].filter((index) => index !== broken)) {
        const own = received.filter(([by, { type }]) => by === index && type === event.type);
        assertEquals(own, [[index, event]]);
      }
      const failures = received.map(([, event]) => event).filter(({ type }) => type === "failed");
      assertEquals(failures.length > 0, true, event.type);
      for (const failure of failures) assertEquals(failure, { type: "failed", error });
    }
  });
}

Deno.test("combine() does not throw when all do", () => {
  let told: TelemetryEvent[] = [];
  const broken = createReceiver((event) => {
    told.push(event);
    throw new Error("broken");
  });
  for (const event of ALL.filter(({ type }) => type !== "failed")) {
    told = [];
    combine(broken, broken, broken).emit(event);
    assertEquals(told.filter(({ type }) => type === event.type), [event, event, event]);
  }
});

Deno.test("combine() wants allowed hops when one does", () => {
  const create = (wantsAllowedHops: boolean): Telemetry => ({ wantsAllowedHops, emit: () => {} });
  for (const [first, second] of [[false, false], [false, true], [true, false]] as const) {
    const { wantsAllowedHops } = combine(create(first), create(second));
    assertEquals(wantsAllowedHops, first || second);
  }
  assertEquals(combine().wantsAllowedHops, false);
});

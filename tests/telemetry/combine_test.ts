import { assertEquals, assertStrictEquals } from "@std/assert";
import { combine } from "../../src/telemetry/combine.ts";
import type { Telemetry } from "../../src/telemetry/telemetry.ts";
import { createListener, EVENTS, NAMES, tell } from "./events.ts";

for (const count of [2, 3]) {
  Deno.test(`combine() tells ${count} of every event, in their order`, () => {
    for (const name of NAMES) {
      const told: unknown[] = [];
      const listeners = Array.from(
        { length: count },
        (_, index) => createListener((name, event) => told.push([index, name, event])),
      );
      tell(combine(...listeners), name);
      assertEquals(told, listeners.map((_, index) => [index, name, EVENTS[name]]));
    }
  });
}

Deno.test("combine() of one is that one", () => {
  const listener = createListener(() => {});
  assertStrictEquals(combine(listener), listener);
});

Deno.test("combine() of none takes every event", () => {
  const told: unknown[] = [];
  const listener = createListener((name, event) => told.push([name, event]));
  for (const name of NAMES) {
    tell(combine(), name);
    tell(combine(combine(), listener), name);
  }
  assertEquals(told, NAMES.map((name) => [name, EVENTS[name]]));
});

for (const broken of [0, 1, 2]) {
  Deno.test(`combine() tells the others of an event and of the failure when ${broken} throws`, () => {
    for (const name of NAMES.filter((name) => name !== "failed")) {
      const error = new Error("broken");
      const told: (readonly [number, string, unknown])[] = [];
      const listeners = [0, 1, 2].map((index) =>
        createListener((name, event) => {
          if (index === broken) throw error;
          told.push([index, name, event]);
        })
      );
      tell(combine(...listeners), name);
      for (const index of [0, 1, 2].filter((index) => index !== broken)) {
        const own = told.filter(([of]) => of === index);
        assertEquals(own.filter(([, told]) => told === name), [[index, name, EVENTS[name]]]);
      }
      const failures = told.filter(([, name]) => name === "failed").map(([, , event]) => event);
      assertEquals(failures.length > 0, true, name);
      for (const failure of failures) assertEquals(failure, { error });
    }
  });
}

Deno.test("combine() does not throw when all do", () => {
  let told: (readonly [name: string, event: unknown])[] = [];
  const broken = createListener((name, event) => {
    told.push([name, event]);
    throw new Error("broken");
  });
  for (const name of NAMES.filter((name) => name !== "failed")) {
    told = [];
    tell(combine(broken, broken, broken), name);
    assertEquals(told.filter(([own]) => own === name), Array(3).fill([name, EVENTS[name]]));
  }
  told = [];
  tell(combine(broken, broken), "failed");
  assertEquals(told[0], ["failed", EVENTS.failed]);
});

Deno.test("combine() wants to hear of allowed hops when one does", () => {
  const create = (hearsAllowed: boolean): Telemetry => ({
    ...createListener(() => {}),
    hearsAllowed,
  });
  for (const [first, second] of [[false, false], [false, true], [true, false]] as const) {
    const { hearsAllowed } = combine(create(first), create(second));
    assertEquals(hearsAllowed, first || second);
  }
  assertEquals(combine().hearsAllowed, false);
});

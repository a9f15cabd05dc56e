import { assert, assertEquals } from "@std/assert";
import { parseConfig } from "../../src/config.ts";
import { createSeats } from "../../src/limits/seats.ts";
import { createSharedCounting } from "../../src/limits/shared.ts";
import { createShared, giveBack } from "../../src/workers/shared.ts";

Deno.test("giveBack() gives back all places of a worker, and no other's", () => {
  const shared = createShared(parseConfig({ LIMIT_CONNECTIONS: "3", LIMIT_IN_FLIGHT: "3" }), 2);
  const [living, dead] = [0, 1].map((index) => {
    const { createPlaces } = createSharedCounting(shared.limits, index);
    return [
      createSeats(3, { counts: shared.seats, index }),
      createPlaces(3, "connections"),
      createPlaces(3, "exchanges"),
    ];
  });
  for (const places of [...living ?? [], ...dead ?? [], ...dead ?? []]) assert(places.take("a"));
  for (const places of living ?? []) assertEquals(places.take("a"), undefined);
  giveBack(shared, 1);
  for (const places of living ?? []) {
    assert(places.take("a") && places.take("a"));
    assertEquals(places.take("a"), undefined);
  }
});

import { assert, assertEquals } from "@std/assert";
import { parseConfig } from "../../src/config/config.ts";
import { createConnectionPlaces } from "../../src/limits/connection_places.ts";
import { createSharedCounting } from "../../src/limits/shared.ts";
import { allocateSharedMemory, releaseWorker } from "../../src/workers/shared_memory.ts";

Deno.test("releaseWorker() gives back all places of a worker, and no other's", () => {
  const shared = allocateSharedMemory(
    parseConfig({ LIMIT_CONNECTIONS: "3", LIMIT_IN_FLIGHT: "3" }),
    2,
  );
  const [living, dead] = [0, 1].map((index) => {
    const { createPlaces } = createSharedCounting(shared.limits, index);
    return [
      createConnectionPlaces(3, { counts: shared.connections, index }),
      createPlaces(3, "connections"),
      createPlaces(3, "exchanges"),
    ];
  });
  for (const places of [...living ?? [], ...dead ?? [], ...dead ?? []]) assert(places.take("a"));
  for (const places of living ?? []) assertEquals(places.take("a"), undefined);
  releaseWorker(shared, 1);
  for (const places of living ?? []) {
    assert(places.take("a") && places.take("a"));
    assertEquals(places.take("a"), undefined);
  }
});

import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../src/config_error.ts";
import { countWorkers } from "../../src/workers/count.ts";

const CASES = [
  { WORKERS: 1, os: "linux", expected: 1 },
  { WORKERS: 3, os: "linux", expected: 3 },
  { WORKERS: "auto", os: "linux", expected: 8 },
  { WORKERS: 1, os: "darwin", expected: 1 },
  { WORKERS: "auto", os: "darwin", expected: 1 },
  { WORKERS: 2, os: "darwin", expected: "WORKERS: only Linux" },
  { WORKERS: 2, os: "windows", expected: "WORKERS: only Linux" },
] as const;

for (const { WORKERS, os, expected } of CASES) {
  Deno.test(`countWorkers() of ${WORKERS} with 8 cores of ${os}: ${expected}`, () => {
    const count = (): number => countWorkers({ WORKERS }, { os, cores: 8 });
    if (typeof expected === "number") assertEquals(count(), expected);
    else assertThrows(count, ConfigError, expected);
  });
}

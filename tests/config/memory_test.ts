import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../src/config_error.ts";
import { parseConfig } from "../../src/config/config.ts";
import { toKeptBytes, toMemoryBytes } from "../../src/config/memory.ts";

const MIB = 1024 * 1024;

function problemsOf(settings: Record<string, string>, isolates: number): readonly string[] {
  const config = parseConfig(settings);
  return assertThrows(() => toMemoryBytes(config, isolates), ConfigError).message.split("\n");
}

Deno.test("toMemoryBytes() refuses too little memory with one number, which suffices", () => {
  for (const [isolates, program] of [[1, 96], [2, 288]] as const) {
    const least = (144 + program) * MIB;
    const problem = `MEMORY_BYTES: must be at least ${least}`;
    for (const bytes of [MIB, least - 1]) {
      const problems = problemsOf({ MEMORY_BYTES: String(bytes) }, isolates);
      assertEquals(problems.filter((line) => /\d{7}/.test(line)), [problem]);
    }
    const config = parseConfig({ MEMORY_BYTES: String(least) });
    assertEquals(toMemoryBytes(config, isolates), least);
    assertEquals(toKeptBytes(least, isolates), 72 * MIB);
  }
});

Deno.test("toMemoryBytes() refuses a limit that is larger than what a connection may keep", () => {
  const settings = { MEMORY_BYTES: String(240 * MIB), MAX_RESPONSE_BYTES: String(8 * MIB + 1) };
  const [problem] = problemsOf(settings, 1);
  assertEquals(problem?.includes(`MAX_RESPONSE_BYTES: must not be above ${8 * MIB}`), true);
});

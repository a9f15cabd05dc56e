/**
 * What is wrong with an environment.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { parseConfig } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config_error.ts";

/** Returns the problems that `parseConfig` throws, one line each. */
export function findProblems(env: Record<string, string>): readonly string[] {
  const error = assertThrows(() => parseConfig(env), ConfigError);
  assertEquals(error.message, error.problems.join("\n"));
  return error.problems;
}

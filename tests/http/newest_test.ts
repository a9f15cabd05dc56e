import { assertEquals } from "@std/assert";
import { setNewest } from "../../src/http/newest.ts";

Deno.test("setNewest() moves an entry to the end, and deletes the oldest beyond the limit", () => {
  const map = new Map<string, number>();
  setNewest(map, ["a", 1], 2);
  setNewest(map, ["b", 2], 2);
  setNewest(map, ["a", 3], 2);
  assertEquals([...map], [["b", 2], ["a", 3]]);
  setNewest(map, ["c", 4], 2);
  assertEquals([...map], [["a", 3], ["c", 4]]);
});

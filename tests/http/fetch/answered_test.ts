import { assert, assertEquals } from "@std/assert";
import { AnsweredHosts } from "../../../src/http/fetch/answered.ts";

Deno.test("AnsweredHosts knows every host that was added, and hardly another", () => {
  const hosts = new AnsweredHosts();
  const names = Array.from({ length: 1000 }, (_, index) => `host-${index}.example:${index}`);
  assertEquals(names.filter((name) => hosts.has(name)), []);
  for (const name of names) hosts.add(name);
  assertEquals(names.filter((name) => !hosts.has(name)), []);
  const others = names.map((name) => `other-${name}`).filter((name) => hosts.has(name));
  assert(others.length < 50, `${others.length} of 1000 hosts were taken for others`);
});

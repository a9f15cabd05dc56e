/**
 * The short form of the suite: every attack that is held, until its first wave is out and its victim has been answered
 * many times; and SIGTERM with streams under way. `deno task abuse` is the long form.
 */
import { assert, assertEquals } from "@std/assert";
import { readPeakBytes } from "../bench/proc.ts";
import type { Role } from "../bench/role.ts";
import type { Attack, Counts } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";
import { startRole } from "./role_main.ts";
import { findObstacle } from "./surroundings.ts";
import { startTarget } from "./target.ts";
import { CONNECTIONS, STREAMS, terminate } from "./termination.ts";
import type { Suffering } from "./victim.ts";

const MEMORY_BYTES = 512 * 1024 * 1024;
const MAX_RESIDENT_BYTES = 1.15 * MEMORY_BYTES;
const EXCHANGES = 25;

let roles: { readonly destination: Role; readonly victim: Role; readonly origin: string };

Deno.test.beforeAll(async () => {
  const [destination, victim] = [startRole("destination"), startRole("victim")];
  const origin = `http://127.0.0.1:${await destination.next<number>()}`;
  roles = { destination, victim, origin };
});

Deno.test.afterAll(async () => {
  await roles.destination[Symbol.asyncDispose]();
  await roles.victim[Symbol.asyncDispose]();
});

async function ask<Answer>(role: Role, job: unknown): Promise<Answer> {
  await role.tell(JSON.stringify(job));
  return await role.next<Answer>();
}

async function attackOnce(
  { name, settings, surroundings, takesPlaces, ...attack }: Attack,
): Promise<void> {
  const { victim, origin } = roles;
  await using attacker = startRole("attacker");
  await using target = await startTarget({
    settings: {
      ALLOW_HOSTS: "public,127.0.0.0/8:*,localhost:*",
      MEMORY_BYTES: String(MEMORY_BYTES),
      ...settings?.(origin),
    },
    surroundings,
  });
  const { port, pid } = target;
  const job = { port, host: attack.victimHost ?? "127.0.0.1", exchanges: EXCHANGES };
  await ask<Suffering>(victim, job); // connects
  assertEquals(await ask(attacker, { name, port, origin }), true);
  const { failures, newcomers } = await ask<Suffering>(victim, job);
  const told = await ask<Counts>(attacker, null);
  assertEquals(failures, {});
  if (takesPlaces !== true) assertEquals(newcomers, {});
  assert(attack.told?.some((code) => code in told) ?? true, JSON.stringify(told));
  assertEquals([target.ended(), await target.isAlive()], [undefined, true]);
  const peak = readPeakBytes([pid]);
  assert(peak < MAX_RESIDENT_BYTES, `${peak} bytes were resident`);
}

for (const attack of ATTACKS.filter(({ held }) => held)) {
  Deno.test({
    name: `an attacker who ${attack.does} keeps nobody from being served`,
    ignore: Deno.build.os !== "linux" || findObstacle(attack.surroundings ?? "plain") !== undefined,
    fn: () => attackOnce(attack),
  });
}

for (const workers of [1, 2]) {
  Deno.test(`SIGTERM lets ${STREAMS} streams end, with WORKERS=${workers}`, async () => {
    assertEquals(await terminate(workers), { whole: STREAMS, closed: CONNECTIONS, exitCode: 0 });
  });
}

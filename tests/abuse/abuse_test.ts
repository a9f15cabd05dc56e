/**
 * The short form of the suite: every attack that is held, until its first wave is out and its victim has been answered
 * many times; and SIGTERM with streams under way. `deno task abuse` is the long form.
 */
import { assert, assertEquals } from "@std/assert";
import type { Role } from "../bench/role.ts";
import type { Attack, Counts } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";
import { watchMemory } from "./process_watch.ts";
import { startRole } from "./role_main.ts";
import { findObstacle } from "./surroundings.ts";
import { startTarget, type Target } from "./target.ts";
import { CONNECTIONS, STREAMS, terminate } from "./termination.ts";
import type { Suffering } from "./victim.ts";

const MEMORY_BYTES = 512 * 1024 * 1024;
const MAX_RESIDENT_BYTES = 1.15 * MEMORY_BYTES;
const GUARD_BYTES = 2 * MEMORY_BYTES;
const EXCHANGES = 10;

let roles: { readonly destination: Role; readonly victim: Role; readonly origin: string };
/** What attacks without settings of their own are made by and on; a test that fails leaves none to the next. */
let shared: Scene | undefined;

/** An attacker and the service. */
interface Scene extends AsyncDisposable {
  readonly attacker: Role;
  readonly target: Target;
}

Deno.test.beforeAll(async () => {
  const [destination, victim] = [startRole("destination"), startRole("victim")];
  const origin = `http://127.0.0.1:${await destination.next<number>()}`;
  roles = { destination, victim, origin };
});

Deno.test.afterAll(async () => {
  await shared?.[Symbol.asyncDispose]();
  await roles.destination[Symbol.asyncDispose]();
  await roles.victim[Symbol.asyncDispose]();
});

async function createScene({ settings, surroundings }: Attack): Promise<Scene> {
  const attacker = startRole("attacker");
  const target = await startTarget({
    settings: {
      ALLOW_HOSTS: "public,127.0.0.0/8:*,localhost:*",
      MEMORY_BYTES: String(MEMORY_BYTES),
      ...settings?.(roles.origin),
    },
    surroundings,
  });
  return {
    attacker,
    target,
    async [Symbol.asyncDispose](): Promise<void> {
      await attacker[Symbol.asyncDispose]();
      await target[Symbol.asyncDispose]();
    },
  };
}

async function ask<Answer>(role: Role, job: unknown): Promise<Answer> {
  await role.tell(JSON.stringify(job));
  return await role.next<Answer>();
}

async function attackIn({ attacker, target }: Scene, attack: Attack): Promise<void> {
  const { name, told, takesPlaces, victimHost: host = "127.0.0.1" } = attack;
  const { port, pid } = target;
  using memory = watchMemory(pid, GUARD_BYTES);
  const job = { port, host, exchanges: EXCHANGES };
  await ask<Suffering>(roles.victim, job); // connects
  assertEquals(await ask(attacker, { name, port, origin: roles.origin }), true);
  const { failures, newcomers } = await ask<Suffering>(roles.victim, job);
  const counts = await ask<Counts>(attacker, null);
  assertEquals(failures, {});
  if (takesPlaces !== true) assertEquals(newcomers, {});
  assert(told?.some((code) => code in counts) ?? true, JSON.stringify(counts));
  assertEquals([target.ended(), await target.isAlive()], [undefined, true]);
  const peak = memory.peakBytes();
  assert(peak < MAX_RESIDENT_BYTES, `${peak} bytes were resident`);
}

async function attackOnce(attack: Attack): Promise<void> {
  const isShared = attack.settings === undefined && attack.surroundings === undefined;
  const scene = isShared && shared !== undefined ? shared : await createScene(attack);
  if (isShared) shared = undefined;
  try {
    await attackIn(scene, attack);
    if (isShared) shared = scene;
  } finally {
    if (shared !== scene) await scene[Symbol.asyncDispose]();
  }
}

for (const attack of ATTACKS.filter(({ held }) => held)) {
  Deno.test({
    name: `others are served beside an attacker who ${attack.does}`,
    ignore: Deno.build.os !== "linux" || findObstacle(attack.surroundings ?? "plain") !== undefined,
    fn: () => attackOnce(attack),
  });
}

for (const workers of [1, 2]) {
  Deno.test(`SIGTERM lets ${STREAMS} streams end, with WORKERS=${workers}`, async () => {
    assertEquals(await terminate(workers), { whole: STREAMS, closed: CONNECTIONS, exitCode: 0 });
  });
}

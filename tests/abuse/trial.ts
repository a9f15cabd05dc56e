/**
 * One attack on the service, with victims beside it.
 *
 * @module
 */
import { readResidentBytes } from "../bench/proc.ts";
import { pause, type Role } from "../bench/role.ts";
import type { Attack, Counts } from "./attack.ts";
import type { AttackJob } from "./attacker.ts";
import { createMemoryGroup } from "./cgroup.ts";
import { countDescriptors, countWaiting, watchMemory } from "./process_watch.ts";
import { startRole } from "./role_main.ts";
import { findObstacle } from "./surroundings.ts";
import { startTarget, type Target } from "./target.ts";
import type { Suffering, VictimJob } from "./victim.ts";

const MIB = 1024 * 1024;
/** How much more than `MEMORY_BYTES` may be resident. */
export const MEMORY_MARGIN = 1.15;
const GUARD_RATIO = 3;
const GUARD_BYTES = 3 * 1024 * MIB;
const SECONDS = 10;
const WARM_MS = 1000;
const SURGE_MS = 300;
const RECOVERY_MS = 5000;
const SPARE_DESCRIPTORS = 16;

const TOKENS = { attacker: "attacker-token", other: "other-token" } as const;

/** How an attack is measured. */
export interface TrialOptions {
  readonly workers: number;
  readonly memoryBytes: number;
  /** Of the attack; default: its own. */
  readonly seconds?: number | undefined;
  readonly aloneSeconds: number;
  /** Whether the kernel ends a service that takes more memory than it should. */
  readonly hasGroup: boolean;
  /** Whether clients have tokens, so that there is a victim with another identity. */
  readonly hasTokens: boolean;
}

/** A victim's measurements, before and during the attack. */
export interface VictimOutcome {
  readonly name: "victim" | "other";
  readonly alone: Suffering;
  readonly beside: Suffering;
}

interface Victim {
  readonly name: VictimOutcome["name"];
  readonly role: Role;
  readonly token: string | undefined;
}

/** What came of an attack. */
export interface Outcome {
  readonly attack: Attack;
  /** How the service has ended; `undefined`: it is up and answers. */
  readonly ended: string | undefined;
  readonly peakBytes: number;
  readonly residentBytes: { readonly before: number; readonly after: number };
  readonly descriptors: {
    readonly before: number;
    readonly peak: number;
    readonly after: number;
  };
  /**
   * The share of the attack in which the service had something to do and no processor: latencies of a row with much of
   * it are due to the machine.
   */
  readonly waitedShare: number;
  readonly victims: readonly VictimOutcome[];
  readonly told: Counts;
}

/** Runs an attack. Returns why it was skipped, or what came of it. */
export async function runTrial(attack: Attack, options: TrialOptions): Promise<Outcome | string> {
  const { surroundings = "plain", victimHost: host = "127.0.0.1" } = attack;
  const obstacle = findObstacle(surroundings);
  if (obstacle !== undefined) return obstacle;
  const { memoryBytes, hasTokens, hasGroup } = options;
  using group = hasGroup ? createMemoryGroup(memoryBytes * MEMORY_MARGIN) : undefined;
  await using destination = startRole("destination");
  await using attacker = startRole("attacker");
  await using victim = startRole("victim");
  await using other = hasTokens ? startRole("victim") : undefined;
  const origin = `http://127.0.0.1:${await destination.next<number>()}`;
  await using target = await startTarget({
    settings: toSettings(attack, origin, options),
    surroundings,
    members: group?.members,
  });
  const { pid, port } = target;
  using memory = watchMemory(pid, Math.max(GUARD_BYTES, GUARD_RATIO * memoryBytes));

  const victims: readonly Victim[] = [
    { name: "victim", role: victim, token: hasTokens ? TOKENS.attacker : undefined },
    ...(other === undefined ? [] : [{ name: "other" as const, role: other, token: TOKENS.other }]),
  ];

  async function measure(milliseconds: number): Promise<readonly Suffering[]> {
    const jobs = victims.map(({ role, token }) => {
      const job: VictimJob = { port, token, host, milliseconds };
      return ask<Suffering>(role, job);
    });
    return await Promise.all(jobs);
  }

  const seconds = options.seconds ?? attack.seconds ?? SECONDS;
  await measure(WARM_MS);
  const alone = await measure(options.aloneSeconds * 1000);
  const before = readUse(pid);
  const job: AttackJob = { name: attack.name, port, token: victims[0]?.token, origin };
  await attacker.tell(JSON.stringify(job));
  await pause(SURGE_MS);
  const waited = countWaiting(pid);
  const startedAt = performance.now();
  const beside = await measure(seconds * 1000);
  const waitedShare = waited() * 1000 / (performance.now() - startedAt);
  const told = await finish(attacker);
  const after = await recover(target, before.descriptors);
  const isAlive = await target.isAlive();
  return {
    attack,
    ended: target.ended() ?? (isAlive ? undefined : "does not answer"),
    peakBytes: memory.peakBytes(),
    residentBytes: { before: before.residentBytes, after: after.residentBytes },
    descriptors: {
      before: before.descriptors,
      peak: memory.peakDescriptors(),
      after: after.descriptors,
    },
    waitedShare,
    victims: victims.map(({ name }, i) => ({
      name,
      alone: alone[i] ?? NOTHING,
      beside: beside[i] ?? NOTHING,
    })),
    told,
  };
}

const NOTHING: Suffering = {
  p50: NaN,
  p99: NaN,
  max: NaN,
  samples: 0,
  failures: {},
  newcomers: {},
};

/** Returns the settings of the service: loopback destinations, and as little besides as can be. */
function toSettings(
  { settings = () => ({}) }: Attack,
  origin: string,
  { workers, memoryBytes, hasTokens }: TrialOptions,
): Record<string, string> {
  return {
    ALLOW_HOSTS: "public,127.0.0.0/8:*,localhost:*",
    WORKERS: String(workers),
    MEMORY_BYTES: String(memoryBytes),
    ...(hasTokens && { AUTH_TOKENS: `attacker:${TOKENS.attacker},other:${TOKENS.other}` }),
    ...settings(origin),
  };
}

async function ask<Answer>(role: Role, job: unknown): Promise<Answer> {
  await role.tell(JSON.stringify(job));
  return await role.next<Answer>();
}

/** Ends the attack; returns what the attacker was told. */
async function finish(attacker: Role): Promise<Counts> {
  await attacker.tell("null");
  for (;;) {
    const line = await attacker.next<true | Counts>();
    if (line !== true) return line; // `true`: it was under way
  }
}

interface Use {
  readonly residentBytes: number;
  readonly descriptors: number;
}

function readUse(pid: number): Use {
  return { residentBytes: readResidentBytes([pid]), descriptors: countDescriptors(pid) };
}

/** Waits until the descriptors are back, or for some seconds. */
async function recover({ pid, ended }: Target, descriptors: number): Promise<Use> {
  for (let waited = 0; waited < RECOVERY_MS && ended() === undefined; waited += 100) {
    if (countDescriptors(pid) <= descriptors + SPARE_DESCRIPTORS) break;
    await pause(100);
  }
  return readUse(pid);
}

/**
 * The program of every role but the service: `attacker`, `destination` or `victim`.
 *
 * @module
 */
import { setPriority } from "node:os";
import { type Role, startRole as startRoleOf } from "../bench/role.ts";
import { runAttacker } from "./attacker.ts";
import { runDestination } from "./destination.ts";
import { runVictim } from "./victim.ts";

/** What a role's process is. */
export type RoleName = "attacker" | "destination" | "victim";

// Attackers and destinations have machines of their own; here they leave the processors to the service and its victims.
const ATTACKER_PRIORITY = 10;

/** Starts a role in a process of its own. */
export function startRole(name: RoleName): Role {
  return startRoleOf(import.meta.filename, [name]);
}

if (import.meta.main) {
  const [name] = Deno.args;
  if (name === "victim") await runVictim();
  else {
    setPriority(ATTACKER_PRIORITY);
    if (name === "attacker") await runAttacker();
    else await runDestination();
  }
  Deno.exit(); // whoever has started this process has ended
}

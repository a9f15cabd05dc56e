/**
 * The table of attacks.
 *
 * @module
 */
import type { Attack } from "./attack.ts";
import { CONNECTION_ATTACKS } from "./attacks/connections.ts";
import { FRAGMENT_ATTACKS } from "./attacks/fragments.ts";
import { FRAME_ATTACKS } from "./attacks/frames.ts";
import { untilOver } from "./crowd.ts";
import { RESPONSE_ATTACKS } from "./attacks/responses.ts";

/** All attacks. */
export const ATTACKS: readonly Attack[] = [
  ...RESPONSE_ATTACKS,
  ...FRAGMENT_ATTACKS,
  ...FRAME_ATTACKS,
  ...CONNECTION_ATTACKS,
];

/** No attack: what the machine itself does to victims. */
export const CONTROL: Attack = {
  name: "none",
  does: "does nothing",
  held: true,
  run: untilOver,
};

/**
 * Returns the attack of a name.
 *
 * @throws {TypeError} There is none.
 */
export function findAttack(name: string): Attack {
  const attack = [CONTROL, ...ATTACKS].find((each) => each.name === name);
  if (attack === undefined) throw new TypeError(`There is no attack ${JSON.stringify(name)}`);
  return attack;
}

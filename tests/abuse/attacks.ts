/**
 * The table of attacks.
 *
 * @module
 */
import type { Attack } from "./attack.ts";
import { CONNECTION_ATTACKS } from "./attacks/connections.ts";
import { FRAGMENT_ATTACKS } from "./attacks/fragments.ts";
import { FRAME_ATTACKS } from "./attacks/frames.ts";
import { RESPONSE_ATTACKS } from "./attacks/responses.ts";

/** All attacks. */
export const ATTACKS: readonly Attack[] = [
  ...RESPONSE_ATTACKS,
  ...FRAGMENT_ATTACKS,
  ...FRAME_ATTACKS,
  ...CONNECTION_ATTACKS,
];

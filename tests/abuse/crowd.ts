/**
 * Many connections of an attacker, each of which begins again after its end.
 *
 * @module
 */
import { pause } from "../bench/role.ts";
import type { Attacker } from "./attack.ts";
import type { Bytes } from "./frames.ts";
import type { PeerOptions, PeerSocket } from "./peer_socket.ts";

const RETRY_MS = 20;
/** By then an act has begun, even if it never ends. */
const FIRST_WAVE_MS = 100;
/** What all connections of an attacker write together, at most. */
const MAX_WRITTEN_BYTES = 64 * 1024 ** 3;

/** How a crowd connects. */
export interface CrowdOptions extends Omit<PeerOptions, "port" | "token"> {
  readonly count: number;
}

/** Returns when the attack is over. */
export function untilOver({ signal }: Attacker): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/**
 * Keeps connections open until the attack is over. Each runs the act, stays until the service ends it, and is
 * replaced.
 */
export async function crowd(
  attacker: Attacker,
  { count, ...options }: CrowdOptions,
  act: (socket: PeerSocket, index: number) => Promise<void>,
): Promise<void> {
  const over = untilOver(attacker);
  let acting = count;

  function acted(isFirst: boolean): void {
    if (isFirst && --acting === 0) attacker.underWay();
  }

  await Promise.all(Array.from({ length: count }, async (_, index) => {
    for (let isFirst = true; !attacker.signal.aborted; isFirst = false) {
      try {
        using socket = await attacker.connect(options);
        const acting = act(socket, index).catch(() => {}); // a write after the end
        if (isFirst) await Promise.race([acting, pause(FIRST_WAVE_MS)]);
        acted(isFirst);
        await Promise.race([socket.ended, over]);
      } catch {
        acted(isFirst);
      }
      await Promise.race([pause(RETRY_MS), over]);
    }
  }));
}

/** Writes the same bytes again and again until the attack is over. */
export async function flood(
  { signal }: Attacker,
  socket: PeerSocket,
  bytes: Bytes,
): Promise<void> {
  for (let written = 0; !signal.aborted && written < MAX_WRITTEN_BYTES; written += bytes.length) {
    await socket.write(bytes);
  }
}

/** Writes the same bytes once in each interval until the attack is over. */
export async function drip(
  { signal }: Attacker,
  { socket, bytes, everyMs }: {
    readonly socket: PeerSocket;
    readonly bytes: Bytes;
    readonly everyMs: number;
  },
): Promise<void> {
  while (!signal.aborted) {
    await socket.write(bytes);
    await pause(everyMs);
  }
}

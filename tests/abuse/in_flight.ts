/**
 * Attacks that keep requests in flight: each response is followed by another request.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { decodeChunk } from "../../src/protocol/mod.ts";
import { BINARY, type Message, TEXT } from "../bench/load/frames.ts";
import { pause } from "../bench/role.ts";
import type { Attack, Attacker } from "./attack.ts";
import { crowd } from "./crowd.ts";
import type { Bytes } from "./frames.ts";
import type { PeerSocket } from "./peer_socket.ts";

/** `MAX_IN_FLIGHT` by default. */
const IN_FLIGHT = 64;
const AFTER_ERROR_MS = 200;

/** An attack that keeps requests in flight. */
export interface InFlight extends Omit<Attack, "run"> {
  /** Connections. */
  readonly count: number;
  /** Requests on each of them. Default: 64. */
  readonly inFlight?: number;
  /** What each connection reads in a second. Default: all. */
  readonly bytesPerSecond?: number;
  /** Whether more frames follow a response. */
  readonly isStreamed?: boolean;
  readonly frame: (id: number, attacker: Attacker) => Bytes;
}

/** Creates the {@linkcode Attack}. */
export function createInFlight(
  { count, inFlight = IN_FLIGHT, bytesPerSecond, isStreamed = false, frame, ...attack }: InFlight,
): Attack {
  return {
    ...attack,
    run: (attacker) => {
      async function repeat(message: Message, socket: PeerSocket): Promise<void> {
        const ended = findEnd(message, isStreamed);
        if (ended === undefined) return;
        if (ended.isError) await pause(AFTER_ERROR_MS);
        await socket.write(frame(ended.id, attacker));
      }

      const first = concat(Array.from({ length: inFlight }, (_, i) => frame(i + 1, attacker)));
      return crowd(attacker, {
        count,
        ...(bytesPerSecond !== undefined && { bytesPerSecond }),
        onMessage: (message, socket) => {
          repeat(message, socket).catch(() => {}); // the connection has ended
        },
      }, (socket) => socket.write(first));
    },
  };
}

/** Returns the exchange that a message of the service ends, if it does. */
function findEnd(
  { opcode, head }: Message,
  isStreamed: boolean,
): { readonly id: number; readonly isError: boolean } | undefined {
  if (opcode !== TEXT && opcode !== BINARY) return undefined;
  if (opcode === BINARY) {
    const { id, fin } = decodeChunk(head.slice().buffer);
    return fin ? { id, isError: false } : undefined;
  }
  const text = new TextDecoder().decode(head);
  const [, type, id] = /^\{"type":"(response|error|end)","id":(\d+)/.exec(text) ?? [];
  if (type === undefined || type === "response" && isStreamed) return undefined;
  return { id: Number(id), isError: type === "error" };
}

/**
 * Attacks with connections: many, slow, short, or ended on one side only; and uploads.
 *
 * @module
 */
import { pause } from "../../bench/role.ts";
import type { Attack, Attacker } from "../attack.ts";
import { crowd, flood, untilOver } from "../crowd.ts";
import {
  batchOf,
  type Bytes,
  chunkFrame,
  requestFrame,
  requestFrames,
  textFrame,
} from "../frames.ts";
import { handshakeBytes } from "../peer_socket.ts";

const MALFORMED_UNTIL_CLOSED = 17;
const CHUNK_BYTES = 65_536;
const WINDOW_CHUNKS = 4;
const UPLOADS = 64;

/** Opens TCP connections to the service, and replaces each when the act on it has ended. */
async function tcpCrowd(
  attacker: Attacker,
  count: number,
  act: (connection: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  const over = untilOver(attacker);
  await Promise.all(Array.from({ length: count }, async () => {
    while (!attacker.signal.aborted) {
      try {
        using connection = await Deno.connect({ hostname: "127.0.0.1", port: attacker.port });
        attacker.tell("TCP connection");
        await Promise.race([act(connection), over]);
      } catch {
        await pause(5); // it was refused or reset
      }
    }
  }));
}

async function sendSlowly(connection: Deno.TcpConn, bytes: Bytes): Promise<void> {
  for (let at = 0; at < bytes.length; at++) {
    await connection.write(bytes.subarray(at, at + 1));
    await pause(200);
  }
}

async function startUploads(
  { origin }: Attacker,
  write: (bytes: Bytes) => Promise<void>,
): Promise<void> {
  await write(
    requestFrames(UPLOADS, `${origin}/silent`, { method: "PUT", bodyFollows: true }),
  );
}

/** Attacks with connections. */
export const CONNECTION_ATTACKS: readonly Attack[] = [
  {
    name: "slow handshakes",
    does: "sends handshakes a byte at a time on 500 connections",
    held: true,
    run: (attacker) => {
      attacker.underWay();
      return tcpCrowd(
        attacker,
        500,
        (connection) => sendSlowly(connection, handshakeBytes({ token: attacker.token })),
      );
    },
  },
  {
    name: "slow frames",
    does: "sends frames a byte at a time on 500 connections",
    held: true,
    run: (attacker) =>
      crowd(attacker, { count: 500 }, async (socket) => {
        const frame = requestFrame(1, `${attacker.origin}/`);
        for (let at = 0; !attacker.signal.aborted; at = (at + 1) % frame.length) {
          await socket.write(frame.slice(at, at + 1));
          await pause(200);
        }
      }),
  },
  {
    name: "connections opened and closed",
    does: "opens TCP connections and closes each at once, 50 at a time",
    held: true,
    run: (attacker) => {
      attacker.underWay();
      return tcpCrowd(attacker, 50, () => Promise.resolve());
    },
  },
  {
    name: "handshakes and ends",
    does: "opens WebSockets, sends a request on each and vanishes, 50 at a time",
    held: true,
    run: async (attacker) => {
      attacker.underWay();
      await Promise.all(Array.from({ length: 50 }, async () => {
        while (!attacker.signal.aborted) {
          try {
            using socket = await attacker.connect();
            await socket.write(requestFrame(1, `${attacker.origin}/silent`));
            attacker.tell("WebSocket");
          } catch {
            await pause(5);
          }
        }
      }));
    },
  },
  {
    name: "closes without an answer",
    does:
      "has connections closed with 4500 and neither answers nor ends them, of 200 of MAX_CONNECTIONS",
    held: true,
    settings: () => ({ MAX_CONNECTIONS: "200" }),
    takesPlaces: true,
    maxDescriptors: 300,
    told: ["close 4500"],
    run: async (attacker) => {
      const malformed = textFrame("{");
      await Promise.all(Array.from({ length: 20 }, async () => {
        while (!attacker.signal.aborted) {
          try {
            // It stays open until the attack is over.
            const socket = await attacker.connect();
            for (let count = 0; count < MALFORMED_UNTIL_CLOSED; count++) {
              await socket.write(malformed);
            }
            await socket.ended;
            attacker.underWay();
          } catch {
            attacker.underWay();
            await pause(20);
          }
        }
      }));
    },
  },
  {
    name: "all places",
    does: "takes every connection of MAX_CONNECTIONS=500 and keeps it",
    held: true,
    settings: () => ({ MAX_CONNECTIONS: "500" }),
    takesPlaces: true,
    told: ["HTTP 429"],
    run: (attacker) => crowd(attacker, { count: 600 }, () => Promise.resolve()),
  },
  {
    name: "few descriptors, many connections",
    does: "opens 700 connections while the service may have 512 descriptors",
    held: true,
    surroundings: "few descriptors",
    takesPlaces: true,
    run: (attacker) => crowd(attacker, { count: 700 }, () => Promise.resolve()),
  },
  {
    name: "few descriptors, many hosts",
    does: "has streams from 640 hosts while the service may have 512 descriptors",
    held: true,
    surroundings: "few descriptors",
    takesPlaces: true,
    run: (attacker) =>
      crowd(attacker, { count: 10 }, async (socket, index) => {
        for (let id = 1; id <= 64; id++) {
          const host = `127.0.${index + 1}.${id}:${attacker.destinationPort}`;
          await socket.write(requestFrame(id, `http://${host}/silent`));
        }
      }),
  },
  {
    name: "uploads that nobody reads",
    does: "sends 64 uploads on each of 30 connections as far as their credit goes",
    held: false,
    run: (attacker) =>
      crowd(attacker, { count: 30 }, async (socket) => {
        await startUploads(attacker, socket.write);
        for (let id = 1; id <= UPLOADS; id++) {
          for (let count = 0; count < WINDOW_CHUNKS; count++) {
            await socket.write(chunkFrame(id, CHUNK_BYTES));
          }
        }
      }),
  },
  {
    name: "uploads beyond their credit",
    does: "sends an upload that nobody reads as fast as TCP takes it",
    held: true,
    run: (attacker) =>
      crowd(attacker, { count: 4 }, async (socket) => {
        await startUploads(attacker, socket.write);
        await flood(attacker, socket, batchOf(chunkFrame(1, CHUNK_BYTES)));
      }),
  },
  {
    name: "a log that nobody reads",
    does: "sends requests while standard output is a pipe that nobody reads",
    held: true,
    surroundings: "unread log",
    run: (attacker) =>
      crowd(attacker, { count: 4, dialect: "plain" }, (socket) =>
        flood(
          attacker,
          socket,
          batchOf(textFrame({ url: `${attacker.origin}/`, method: "GET" })),
        )),
  },
  {
    name: "silent names",
    does: "requests names whose DNS server is silent, 50 a second with a timeout of 1 ms",
    held: true,
    seconds: 20,
    surroundings: "silent resolver",
    victimHost: "localhost",
    run: async (attacker) => {
      const start = Math.floor(Math.random() * 1e9);
      let name = start;
      await crowd(attacker, { count: 1 }, async (socket) => {
        while (!attacker.signal.aborted) {
          const frame = requestFrame(1 + (name - start) % 60, `http://n${++name}.example/`, {
            timeoutMs: 1,
          });
          await socket.write(frame);
          await pause(20);
        }
      });
    },
  },
];

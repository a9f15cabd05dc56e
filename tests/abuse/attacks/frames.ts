/**
 * Attacks with frames: floods of small ones, and large ones that are expensive to parse.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { rawFrame } from "../../helpers/raw_client.ts";
import type { Attack, Attacker } from "../attack.ts";
import { createInFlight, type InFlight } from "../in_flight.ts";
import { crowd, flood } from "../crowd.ts";
import {
  batchOf,
  binaryFrame,
  type Bytes,
  chunkFrame,
  requestFrame,
  requestFrames,
  textFrame,
} from "../frames.ts";

const PING = 0x89;
const PONG = 0x8a;
const FRAME_BYTES = 1_048_576;
const TOO_MANY = ["close 4500"];

type Flood = Omit<Attack, "run"> & {
  readonly count?: number;
  readonly dialect?: "plain";
  /** Sent once on each connection. */
  readonly before?: (attacker: Attacker) => Bytes;
  readonly frame: (attacker: Attacker) => Bytes;
};

function createFlood({ count = 1, dialect, before, frame, ...attack }: Flood): Attack {
  return {
    ...attack,
    run: (attacker) => {
      const batch = batchOf(frame(attacker));
      return crowd(attacker, { count, ...(dialect && { dialect }) }, async (socket) => {
        if (before !== undefined) await socket.write(before(attacker));
        await flood(attacker, socket, batch);
      });
    },
  };
}

const SMALL_FRAMES: readonly Flood[] = [
  {
    name: "grants",
    does: "grants credit to no exchange, as fast as TCP takes it",
    held: true,
    told: TOO_MANY,
    frame: () => textFrame({ type: "grant", id: 9, bytes: 1 }),
  },
  {
    name: "cancels",
    does: "cancels no exchange, as fast as TCP takes it",
    held: true,
    told: TOO_MANY,
    frame: () => textFrame({ type: "cancel", id: 9 }),
  },
  {
    name: "cancels on 20 connections",
    does: "cancels no exchange on 20 connections at once",
    held: true,
    count: 20,
    told: TOO_MANY,
    frame: () => textFrame({ type: "cancel", id: 9 }),
  },
  {
    name: "chunks",
    does: "sends chunks for no exchange",
    held: true,
    told: TOO_MANY,
    frame: () => chunkFrame(9, 0),
  },
  {
    name: "empty chunks of an upload",
    does: "sends empty chunks for an upload that is in flight",
    held: true,
    told: TOO_MANY,
    before: ({ origin }) =>
      requestFrame(1, `${origin}/silent`, { method: "PUT", bodyFollows: true }),
    frame: () => chunkFrame(1, 0),
  },
  {
    name: "grants that are not needed",
    does: "grants a byte again and again to a stream that is in flight",
    held: true,
    told: TOO_MANY,
    before: ({ origin }) => requestFrame(1, `${origin}/silent`, { stream: true, windowBytes: 0 }),
    frame: () => textFrame({ type: "grant", id: 1, bytes: 1 }),
  },
  {
    name: "credentials",
    does: "sends auth frames",
    held: true,
    told: [...TOO_MANY, "close 4501"],
    frame: () => textFrame({ type: "auth", token: "attacker-token" }),
  },
  {
    name: "requests beyond MAX_IN_FLIGHT",
    does: "sends requests while 64 are in flight",
    held: true,
    told: TOO_MANY,
    before: ({ origin }) => requestFrames(64, `${origin}/silent`),
    frame: ({ origin }) => requestFrame(100, `${origin}/`),
  },
  {
    name: "pings",
    does: "sends ping frames",
    held: true,
    told: TOO_MANY,
    frame: () => textFrame({ type: "ping" }),
  },
  {
    name: "WebSocket pings",
    does: "sends pings of the WebSocket protocol on 4 connections",
    held: true,
    count: 4,
    frame: () => rawFrame(PING, "x".repeat(125)),
  },
  {
    name: "WebSocket pongs",
    does: "sends pongs of the WebSocket protocol on 4 connections",
    held: true,
    count: 4,
    told: TOO_MANY,
    frame: () => rawFrame(PONG, "x".repeat(125)),
  },
  {
    name: "malformed frames",
    does: "sends texts that are not JSON",
    held: true,
    told: TOO_MANY,
    frame: () => textFrame("{"),
  },
  {
    name: "bad requests",
    does: "sends requests that are refused",
    held: true,
    told: TOO_MANY,
    frame: () => requestFrame(1, "/relative"),
  },
  {
    name: "requests and their cancels",
    does: "starts requests as fast as possible and cancels each at once",
    held: true,
    frame: ({ origin }) =>
      concat([requestFrame(1, `${origin}/silent`), textFrame({ type: "cancel", id: 1 })]),
  },
  {
    name: "plain requests that are bad",
    does: "sends plain requests that are refused, on 4 connections",
    held: true,
    count: 4,
    dialect: "plain",
    told: TOO_MANY,
    frame: () => textFrame({ url: "/relative", method: "GET" }),
  },
  {
    name: "plain requests",
    does: "sends plain requests as fast as TCP takes them, on 4 connections",
    held: true,
    count: 4,
    dialect: "plain",
    frame: ({ origin }) => textFrame({ url: `${origin}/`, method: "GET" }),
  },
];

function fill(unit: string, rest: number): string {
  return unit.repeat(Math.floor((FRAME_BYTES - rest) / unit.length));
}

function keys(bytes: number): string {
  const members: string[] = [];
  for (let length = 0; length < bytes;) {
    const member = `"k${members.length}":1`;
    length += member.length + 1;
    members.push(member);
  }
  return `{${members.join()}}`;
}

function asJson(id: number, url: string, json: string): Bytes {
  return textFrame(`{"type":"request","id":${id},"url":"${url}","method":"POST","json":${json}}`);
}

const LARGE_REQUESTS: readonly InFlight[] = [
  {
    name: "nested JSON in a request",
    does: "sends requests with 1 MiB of nested lists as json",
    held: true,
    count: 1,
    inFlight: 8,
    frame: (id, { origin }) =>
      asJson(
        id,
        `${origin}/`,
        fill("[", FRAME_BYTES / 2 + 256) + fill("]", FRAME_BYTES / 2 + 256),
      ),
  },
  {
    name: "keys in a request",
    does: "sends requests with 1 MiB of members as json",
    held: true,
    count: 1,
    inFlight: 8,
    frame: (id, { origin }) => asJson(id, `${origin}/`, keys(FRAME_BYTES - 512)),
  },
  {
    name: "escapes in a request",
    does: "sends requests with 1 MiB of escapes as text",
    held: true,
    count: 1,
    inFlight: 8,
    frame: (id, { origin }) =>
      textFrame(
        `{"type":"request","id":${id},"url":"${origin}/","method":"POST","text":"${
          fill("\\u0001", 512)
        }"}`,
      ),
  },
  {
    name: "path of escapes",
    does: "sends paths of %25252525 for a named upstream, 60 at once",
    held: true,
    settings: (origin) => ({ UPSTREAMS: JSON.stringify({ a: { baseUrl: origin } }) }),
    count: 1,
    inFlight: 60,
    frame: (id) => requestFrame(id, `a:/${"%25252525252525".repeat(1092)}`),
  },
];

const LARGE_FRAMES: readonly Flood[] = [
  {
    name: "frames of brackets",
    does: "sends 1 MiB of [ in one frame, again and again",
    held: true,
    told: TOO_MANY,
    frame: () => textFrame("[".repeat(FRAME_BYTES - 16)),
  },
  {
    name: "keys in a frame",
    does: "sends frames of 1 MiB of unknown members",
    held: true,
    frame: () => textFrame(keys(FRAME_BYTES - 512)),
  },
  {
    name: "binary frames",
    does: "sends chunks of 1 MiB for no exchange",
    held: true,
    told: TOO_MANY,
    frame: () => binaryFrame(new Uint8Array(FRAME_BYTES - 16).fill(1)),
  },
  {
    name: "nearly too large frames on 300 connections",
    does: "sends malformed frames of just under MAX_FRAME_BYTES on 300 connections at once",
    held: false,
    count: 300,
    told: TOO_MANY,
    frame: () => textFrame("x".repeat(FRAME_BYTES - 1)),
  },
];

/** Attacks with frames. */
export const FRAME_ATTACKS: readonly Attack[] = [
  ...[...SMALL_FRAMES, ...LARGE_FRAMES].map(createFlood),
  ...LARGE_REQUESTS.map(createInFlight),
];

/**
 * Attacks with responses: what the service keeps for a client, and what it has to decode, parse and encode.
 *
 * @module
 */
import type { Attack } from "../attack.ts";
import { requestFrame } from "../frames.ts";
import { createInFlight, type InFlight } from "../in_flight.ts";

const MIB = 1024 * 1024;
/** For what is kept to add up. */
const WAVE_MS = 1500;
/** Of a client that is slow, but not so slow that it is closed with 4029. */
const SLOW_BYTES_PER_SECOND = 65_536;

type Requests = Omit<InFlight, "frame" | "isStreamed"> & {
  readonly path: string;
  readonly members?: object;
};

function createRequests({ path, members = {}, ...attack }: Requests): Attack {
  return createInFlight({
    ...attack,
    isStreamed: "stream" in members,
    frame: (id, { origin }) => requestFrame(id, origin + path, members),
  });
}

const KEPT: readonly Requests[] = [
  {
    name: "gzip held back",
    does: "has 14 × 64 responses of 8 MiB, sent as 8 KB of gzip, that lack their last bytes",
    held: true,
    seconds: 20,
    count: 14,
    path: "/held-gzip",
  },
  {
    name: "bodies held back",
    does: "has 14 × 64 responses of 8 MiB that lack their last byte",
    held: true,
    seconds: 20,
    count: 14,
    path: "/held",
  },
  {
    name: "endless lines",
    does: "streams lines without an end, of characters beyond Latin-1, on 5 connections",
    held: true,
    count: 5,
    inFlight: 16,
    members: { stream: "lines" },
    path: "/endless-line",
  },
  {
    name: "endless events",
    does: "streams events without an end, of characters beyond Latin-1, on 5 connections",
    held: true,
    count: 5,
    inFlight: 16,
    members: { stream: "events" },
    path: "/endless-event",
  },
  {
    name: "whole responses",
    does: "requests 8 MiB of text on 20 × 64 exchanges and reads all of it",
    held: false,
    count: 20,
    path: "/text",
  },
  {
    name: "whole responses of bytes",
    does: "requests 8 MiB of bytes on 20 × 16 exchanges and reads all of it",
    held: true,
    count: 20,
    inFlight: 16,
    path: "/binary",
  },
  {
    name: "whole responses of control characters",
    does: "requests 8 MiB that are six times as long in JSON, on 20 × 16 exchanges",
    held: true,
    count: 20,
    inFlight: 16,
    path: "/controls",
  },
  {
    name: "whole responses, unread",
    does: "requests 8 MiB of text on 20 × 64 exchanges and reads nothing",
    held: false,
    count: 20,
    bytesPerSecond: 0,
    path: "/text",
  },
  {
    name: "whole responses, slowly read",
    does: "requests 8 MiB of text on 100 × 8 exchanges and reads 64 KB a second",
    held: false,
    count: 100,
    inFlight: 8,
    bytesPerSecond: SLOW_BYTES_PER_SECOND,
    path: "/text",
  },
  {
    name: "streams, unread",
    does: "streams 50 × 64 endless bodies and reads nothing",
    held: false,
    count: 50,
    members: { stream: true },
    bytesPerSecond: 0,
    path: "/endless",
  },
  {
    name: "streams, slowly read",
    does: "streams 100 × 16 endless bodies and reads 64 KB a second",
    held: true,
    count: 100,
    inFlight: 16,
    members: { stream: true },
    bytesPerSecond: SLOW_BYTES_PER_SECOND,
    path: "/endless",
  },
  {
    name: "streams without credit",
    does: "starts 50 × 64 endless streams and grants nothing",
    held: true,
    count: 50,
    members: { stream: true, windowBytes: 0 },
    path: "/endless",
  },
  {
    name: "large requests to a silent destination",
    does:
      "sends requests with bodies of nearly 1 MiB, 64 on each of 30 connections, that nobody answers",
    held: false,
    count: 30,
    members: { method: "POST", text: "x".repeat(MIB - 1024) },
    path: "/silent",
  },
];

const COSTLY: readonly Requests[] = [
  {
    name: "gzip bodies at once",
    does: "requests 64 gzip bodies of 8 MiB at once, again and again",
    held: true,
    count: 1,
    path: "/gzip",
  },
  {
    name: "nested JSON",
    does: "requests JSON nested a million deep, 16 at once on 4 connections",
    held: true,
    count: 4,
    inFlight: 16,
    path: "/nested-json",
  },
  {
    name: "JSON of many keys",
    does: "requests JSON with half a million keys, 16 at once on 4 connections",
    held: true,
    count: 4,
    inFlight: 16,
    path: "/keys-json",
  },
  {
    name: "data lines",
    does: "streams lines `data:` without an end as events, on 4 exchanges",
    held: true,
    count: 1,
    inFlight: 4,
    members: { stream: "events" },
    path: "/data-lines",
  },
  {
    name: "data lines on 20 connections",
    does: "streams lines `data:` without an end as events, on 20 × 16 exchanges",
    held: true,
    count: 20,
    inFlight: 16,
    members: { stream: "events" },
    path: "/data-lines",
  },
  {
    name: "empty events",
    does: "streams empty events as fast as they come, on 4 exchanges",
    held: true,
    count: 1,
    inFlight: 4,
    members: { stream: "events" },
    path: "/small-events",
  },
  {
    name: "empty lines",
    does: "streams empty lines as fast as they come, on 4 exchanges",
    held: true,
    count: 1,
    inFlight: 4,
    members: { stream: "lines" },
    path: "/empty-lines",
  },
  ...["gzip", "br", "zstd"].map((coding) => ({
    name: `${coding} bombs`,
    does: `requests whole bodies that ${coding} has made small, on 4 × 16 exchanges`,
    held: true,
    count: 4,
    inFlight: 16,
    path: `/${coding}-bomb`,
    told: ["http_response_body_size"],
  })),
  {
    name: "gzip bombs, streamed",
    does: "streams 4 × 16 bodies of 512 MiB that gzip has made small, and reads all",
    held: true,
    count: 4,
    inFlight: 16,
    members: { stream: true },
    path: "/gzip-bomb",
  },
  {
    name: "gzip bombs, streamed and unread",
    does: "streams 20 × 64 bodies of 512 MiB that gzip has made small, and reads nothing",
    held: true,
    count: 20,
    members: { stream: true },
    bytesPerSecond: 0,
    path: "/gzip-bomb",
  },
];

/** Attacks with responses. */
export const RESPONSE_ATTACKS: readonly Attack[] = [
  ...KEPT.map((requests) => createRequests({ waveMs: WAVE_MS, ...requests })),
  ...COSTLY.map(createRequests),
];

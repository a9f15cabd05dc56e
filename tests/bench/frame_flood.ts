/**
 * What one connection that sends frames as fast as TCP takes them costs another: the latency of small exchanges of
 * `victim`, alone and beside each flood. Service, destination, victim and flooder are processes of their own.
 * The target is a p99 of at most 50 ms beside each flood.
 *
 * Run: `deno run --allow-all tests/bench/frame_flood.ts [connections of the flooder] [name of a flood]…`
 */
import { encodeChunk } from "../../src/protocol/mod.ts";
import { startProcess } from "../helpers/process.ts";
import { connectRaw, rawFrame, TEXT } from "../helpers/raw_client.ts";
import { startHttp } from "../helpers/upstream.ts";
import { readLines } from "./load/lines.ts";
import { pause, type Role, say, startRole as startRoleOf } from "./role.ts";
import { connectBench } from "./socket.ts";

const ROUND_MS = 3000;
const VICTIM_PAUSE_MS = 5;
const FLOOD_BYTES = 65_536;
const BINARY = 0x82;
const PING = 0x89;
// Of the flooder alone, so that `rate limited` is refused at once.
const REQUESTS_PER_SECOND = 1000;
const MAX_IN_FLIGHT = 64;

interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
  readonly failed: number;
}

interface Flood {
  /** Frames that TCP has taken. */
  readonly sent: number;
  readonly connects: number;
  readonly codes: Readonly<Record<string, number>>;
}

type Frames = Uint8Array<ArrayBuffer>;

const text = (frame: object | string): Frames =>
  rawFrame(TEXT, typeof frame === "string" ? frame : JSON.stringify(frame));
const binary = (bytes: Uint8Array): Frames => rawFrame(BINARY, bytes);
const chunk = (id: number, size: number): Frames =>
  binary(encodeChunk({ id, fin: false, payload: new Uint8Array(size) }));
const silent = (url: string, members: object = {}): Frames =>
  text({ type: "request", id: 1, url: `${url}silent`, ...members });

interface Kind {
  /** Sent once, at first. */
  readonly before?: (url: string) => readonly Frames[];
  readonly frame: (url: string) => Frames;
}

const KINDS: Readonly<Record<string, Kind>> = {
  "grant for no exchange": { frame: () => text({ type: "grant", id: 9, bytes: 1 }) },
  "cancel for no exchange": { frame: () => text({ type: "cancel", id: 9 }) },
  "chunk for no exchange": { frame: () => chunk(9, 0) },
  "chunk of 64 KiB for no exchange": { frame: () => chunk(9, 65_536) },
  "grant that is not needed": {
    before: (url) => [silent(url, { stream: true, windowBytes: 0 })],
    frame: () => text({ type: "grant", id: 1, bytes: 1 }),
  },
  "empty chunk of an upload": {
    before: (url) => [silent(url, { method: "PUT", bodyFollows: true })],
    frame: () => chunk(1, 0),
  },
  "malformed text": { frame: () => text("{") },
  "binary of 4 bytes": { frame: () => binary(Uint8Array.of(0, 0, 0, 9)) },
  "ping frame": { frame: () => text({ type: "ping" }) },
  "WebSocket ping": { frame: () => rawFrame(PING, "") },
  "WebSocket pong": { frame: () => rawFrame(0x8A, "") },
  "auth": { frame: () => text({ type: "auth", token: "flooder-token" }) },
  "bad request": { frame: () => text({ type: "request", id: 2, url: "/relative" }) },
  "bad cancel": { frame: () => text({ type: "cancel", id: "x" }) },
  "rate limited": { frame: (url) => text({ type: "request", id: 0, url }) },
  "too many in flight": {
    before: (url) => Array.from({ length: MAX_IN_FLIGHT }, (_, i) => silent(url, { id: i + 1 })),
    frame: (url) => text({ type: "request", id: 100, url }),
  },
  "request and its cancel": {
    frame: (url) => join([silent(url), text({ type: "cancel", id: 1 })]),
  },
};

function join(parts: readonly Frames[]): Frames {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const startRole = (...args: string[]): Role => startRoleOf(import.meta.filename, args);

function serve(): void {
  const { origin } = startHttp(({ url }) =>
    url.endsWith("silent") ? new Promise<Response>(() => {}) : Response.json({ small: true })
  );
  say(JSON.stringify(`${origin}/`));
}

/** Small exchanges, one after another, with a pause between them. */
async function runVictim(port: number, url: string): Promise<void> {
  let answered: (text: string) => void = () => {};
  using socket = await connectBench(port, "victim-token", (text) => answered(text));
  let id = 0;
  for await (const _ of readLines(Deno.stdin.readable)) {
    const times: number[] = [];
    let failed = 0;
    const end = performance.now() + ROUND_MS;
    while (performance.now() < end) {
      const answer = new Promise<string>((resolve) => answered = resolve);
      const startedAt = performance.now();
      await socket.send([JSON.stringify({ type: "request", id: ++id, url })]);
      if (!(await answer).startsWith('{"type":"response"')) failed++;
      times.push(performance.now() - startedAt);
      await pause(VICTIM_PAUSE_MS);
    }
    const sorted = times.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? NaN;
    say(
      JSON.stringify({
        p50: at(0.5),
        p99: at(0.99),
        max: sorted.at(-1),
        samples: sorted.length,
        failed,
      }),
    );
  }
}

/** Sends from one line, which names the flood, to the next. Connects again when it was closed. */
async function runFlood(port: number, url: string, connections: number): Promise<void> {
  let flooding = false;
  let floods: Promise<void>[] = [];
  let sent = 0;
  let connects = 0;
  let codes: Record<string, number> = {};

  async function floodOnce({ before, frame }: Kind): Promise<void> {
    using client = await connectRaw(port, {
      authorization: "Bearer flooder-token",
      "sec-websocket-protocol": "wsfetch.v1",
    });
    connects++;
    const reading = client.readToEnd().then((bytes) => {
      const code = closeCode(bytes);
      codes[code] = (codes[code] ?? 0) + 1;
    });
    try {
      for (const frames of before?.(url) ?? []) await client.write(frames);
      const one = frame(url);
      const count = Math.max(1, Math.floor(FLOOD_BYTES / one.length));
      const many = join(Array.from({ length: count }, () => one));
      while (flooding) {
        await client.write(many);
        sent += count;
      }
    } catch {
      // it was closed
    }
    client[Symbol.dispose]();
    await reading;
  }

  for await (const word of readLines(Deno.stdin.readable)) {
    const kind = KINDS[word];
    flooding = kind !== undefined;
    if (kind !== undefined) {
      [sent, connects, codes] = [0, 0, {}];
      floods = Array.from({ length: connections }, async () => {
        while (flooding) {
          await floodOnce(kind).catch(() => {});
          await pause(1);
        }
      });
    } else {
      await Promise.all(floods);
      say(JSON.stringify({ sent, connects, codes }));
    }
  }
}

/** Returns the code of the Close frame that ends what was read; 1006 without one. */
function closeCode(bytes: Uint8Array): number {
  for (let at = Math.max(0, bytes.length - 128); at < bytes.length - 3; at++) {
    if (bytes[at] === 0x88 && bytes[at + 1] === bytes.length - at - 2) {
      return ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    }
  }
  return 1006;
}

async function measure(connections: string, names: readonly string[]): Promise<void> {
  await using upstream = startRole("serve");
  const url = await upstream.next<string>();
  await using service = await startProcess({
    ALLOW_HOSTS: "127.0.0.1:*",
    AUTH_TOKENS: "victim:victim-token,flooder:flooder-token",
    LIMIT_REQUESTS_PER_SECOND: String(REQUESTS_PER_SECOND),
    MAX_IN_FLIGHT: String(MAX_IN_FLIGHT),
    LOG_LEVEL: Deno.env.get("LOG_LEVEL") ?? "info",
  });
  await using victim = startRole("victim", String(service.port), url);

  async function latency(): Promise<Latency> {
    await victim.tell("go");
    return await victim.next<Latency>();
  }

  await latency(); // warms up
  say(`| flood | p50 ms | p99 ms | max ms | exchanges | frames sent | connects | ended with |`);
  say("|---|---|---|---|---|---|---|---|");
  say(`| none | ${format(await latency())} | | | |`);
  for (const name of names.length > 0 ? names : Object.keys(KINDS)) {
    await using flooder = startRole("flood", String(service.port), url, connections);
    await pause(300);
    await flooder.tell(name);
    const measured = await latency();
    await flooder.tell("");
    const { sent, connects, codes } = await flooder.next<Flood>();
    say(`| ${name} | ${format(measured)} | ${sent} | ${connects} | ${JSON.stringify(codes)} |`);
  }
}

function format({ p50, p99, max, samples, failed }: Latency): string {
  const times = [p50, p99, max].map((ms) => ms.toFixed(1)).join(" | ");
  return `${times} | ${samples}${failed > 0 ? ` (${failed} failed)` : ""}`;
}

const [role = "1", port = "", url = "", connections = "1"] = Deno.args;
if (role === "serve") serve();
else if (role === "victim") await runVictim(Number(port), url);
else if (role === "flood") await runFlood(Number(port), url, Number(connections));
else await measure(role, Deno.args.slice(1));

/**
 * Any interleaving of frames that a hostile client can send: every exchange ends once, with its own bytes.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { encodeChunk, SUBPROTOCOL } from "../../src/protocol/mod.ts";
import { connect, type Frame, type TestClient } from "../helpers/client.ts";
import type { LogLine } from "../helpers/log.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";

const KINDS = ["short", "long", "parts", "events", "echo", "silent", "stalls", "dies"] as const;
const OK = "HTTP/1.1 200 OK\r\n";
const SETTINGS = {
  ...LOOPBACK,
  MAX_IN_FLIGHT: "8",
  MAX_FRAME_BYTES: "65536",
  WINDOW_BYTES: "65536",
  STREAM_IDLE_MS: "100",
};
/** Far longer than anything here takes, on a machine that has other things to do too. */
const DEADLINE_MS = 20_000;

interface Step {
  readonly type: "request" | "malformed" | "again" | "cancel" | "grant" | "chunk" | "text" | "wait";
  /** Picks one of the ids so far, or one that there never was. */
  readonly pick: number;
  readonly kind: typeof KINDS[number];
  readonly members: object;
  /** Of a grant or of a chunk. */
  readonly bytes: number;
  readonly flags: number;
  readonly text: string;
}

const some = fc.constantFrom;
const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  type: fc.oneof(
    { weight: 10, arbitrary: some("request" as const) },
    { weight: 5, arbitrary: some("chunk" as const, "grant" as const) },
    { weight: 3, arbitrary: some("cancel" as const, "wait" as const) },
    { weight: 2, arbitrary: some("text" as const, "malformed" as const) },
    { weight: 1, arbitrary: some("again" as const, "wait" as const, "wait" as const) },
  ),
  pick: fc.nat(20),
  kind: some(...KINDS),
  members: fc.oneof(
    fc.record({ timeoutMs: some(1, 20, 100) }),
    fc.record({
      stream: some<boolean | string>(true, true, "events", "lines", false),
      timeoutMs: some(20, 100),
    }),
    fc.record({
      stream: some(true),
      windowBytes: some(0, 1, 100, 70_000),
      timeoutMs: some(20, 100),
    }),
    fc.record({
      method: some("POST", "PUT"),
      bodyFollows: some(true),
      stream: some(true, false),
      timeoutMs: some(20, 100),
    }),
    fc.record({ windowBytes: some(1), stream: some(false) }),
  ),
  bytes: some(0, 1, 7, 100, 5000, 40_000, 65_531, 70_000, 2 ** 53 - 1, -1, 1.5),
  flags: some(0, 0, 0, 1, 1, 2, 255),
  text: some("", "{", "[]", "null", '{"type":"hello"}', '{"type":"cancel","id":0}', "\u0000"),
});

/** What the client knows of an id that it has used. */
interface Known {
  readonly letter: string;
  requests: number;
  ends: number;
  cancelled: boolean;
  /** The head of its streamed response has come. */
  begun: boolean;
}

Deno.test("no interleaving of a client's frames mixes exchanges, or leaves one without an end", async () => {
  await using http = startHttp(answer);
  await using raw = startRaw(async (connection) => {
    const [, kind, letter = ""] = (await connection.readHead()).split(/[/ ]+/g);
    const begun = letter.repeat(100);
    if (kind === "dies") await connection.write(`${OK}content-length: 50000\r\n\r\n${begun}`);
    if (kind === "stalls") await connection.write(`${OK}\r\n${begun}`);
    if (kind !== "dies") await connection.peerClosed();
    connection.close();
  });
  await using service = startService(SETTINGS);
  const urlOf = (kind: string, letter: string): string =>
    `${/silent|stalls|dies/.test(kind) ? raw.origin : http.origin}/${kind}/${letter}`;
  await fc.assert(
    fc.asyncProperty(
      fc.array(stepArbitrary, { maxLength: 40, size: "max" }),
      (steps) => play(steps, { service, urlOf }),
    ),
    { numRuns: 40, endOnFailure: true },
  );
  assertEquals(service.log.filter(({ event }) => event === "failed"), []);
});

/** Answers with nothing but the letter of the path, and what the kind needs around it. */
function answer(request: Request): Response {
  const [, kind, letter = ""] = new URL(request.url).pathname.split("/");
  const headers = { "cache-control": "no-transform" };
  if (kind === "short") return new Response(letter.repeat(10), { headers });
  if (kind === "long") return new Response(letter.repeat(100_000), { headers });
  if (kind === "echo") return new Response(request.body, { headers });
  const part = kind === "events" ? `data: ${letter.repeat(50)}\n\n` : letter.repeat(3000) + "\n";
  return new Response(ReadableStream.from(Array(20).fill(new TextEncoder().encode(part))), {
    headers: { ...headers, ...(kind === "events" && { "content-type": "text/event-stream" }) },
  });
}

interface Stage {
  readonly service: Service;
  urlOf(kind: string, letter: string): string;
}

async function play(steps: readonly Step[], { service, urlOf }: Stage): Promise<void> {
  const client = await connect(service.url, [SUBPROTOCOL]);
  const { connection } = await client.next();
  const known = new Map<number, Known>();
  let duplicates = 0;
  let pings = 0;
  const listening = listen(client, known);

  function request(id: number, members: object): void {
    const it = known.get(id) ??
      {
        letter: String.fromCharCode(65 + id % 26),
        requests: 0,
        ends: 0,
        cancelled: false,
        begun: false,
      };
    known.set(id, it);
    it.requests++;
    client.send({ type: "request", id, ...members });
  }

  function perform({ type, pick, kind, members, bytes, flags, text }: Step): void {
    const id = pick < known.size ? pick + 1 : 4_000_000_000;
    const it = known.get(id);
    const next = known.size + 1;
    if (type === "request") {
      const url = urlOf(kind, String.fromCharCode(65 + next % 26));
      request(next, { url, ...members });
    } else if (type === "malformed") request(next, { url: "ftp://127.0.0.1/", query: 7 });
    else if (type === "again" && it !== undefined) {
      duplicates++;
      const url = urlOf(kind, it.letter);
      request(id, bytes > 1 ? { url, ...members } : {});
    } else if (type === "cancel") {
      if (it !== undefined) it.cancelled = true;
      client.send({ type: "cancel", id });
    } else if (type === "grant") client.send({ type: "grant", id, bytes });
    else if (type === "chunk") {
      const size = Math.min(Math.max(0, Math.floor(bytes)), 70_000);
      const payload = new TextEncoder().encode((it?.letter ?? "!").repeat(size));
      const chunk = encodeChunk({ id, payload, fin: false });
      chunk[4] = flags;
      client.send(chunk);
    } else if (type === "text") client.send(text);
  }

  async function ping(): Promise<void> {
    const data = String(++pings);
    client.send({ type: "ping", data });
    await within(listening.until(() => listening.pong() === data), "a pong");
  }

  for (const step of steps) {
    if (listening.closed()) break;
    if (step.type === "wait") await ping();
    else perform(step);
  }
  await ping();
  listening.forget(); // behind the pong nothing comes for what was cancelled
  for (const id of known.keys()) client.send({ type: "grant", id, bytes: 2 ** 40 });
  const open = (): number[] =>
    [...known].filter(([, it]) => !it.cancelled && it.ends < it.requests).map(([id]) => id);
  await within(listening.until(() => open().length === 0), () => `an end of ${open()}`);
  if (!listening.closed()) {
    await ping();
    client.webSocket.close(1000);
  }
  const ofThis = ({ connection: it }: LogLine): boolean => it === connection;
  // What is still on its way to a closed socket resets it, so the close frame may not arrive.
  const { code, exchanges } = await within(service.logged("disconnected", ofThis), "close");
  const malformed = service.log.filter((line) =>
    ofThis(line) && line.event === "malformed" && line.code === "bad_frame"
  );
  if (code === 4509) assert(duplicates > 0, "closed with 4509");
  else if (code === 4500) assertEquals(malformed.length, 16);
  else assertEquals(code, 1000);
  assertEquals(listening.faults, []);
  const sent = [...known.values()].reduce((sum, { requests }) => sum + requests, 0);
  if (code === 1000) assertEquals(exchanges, sent);
  const ended = (): number =>
    service.log.filter((line) => line.event === "exchanged" && ofThis(line)).length;
  if (exchanges !== 0) {
    await within(service.logged("exchanged", () => ended() === exchanges), "the log");
  }
}

interface Listening {
  readonly faults: readonly string[];
  readonly closed: () => boolean;
  /** What the last pong held. */
  readonly pong: () => string | undefined;
  /** Takes a frame of an exchange that was cancelled before as a fault. */
  forget(): void;
  /** Fulfils when something holds, or the connection has closed. */
  until(holds: () => boolean): Promise<void>;
}

function listen(client: TestClient, known: ReadonlyMap<number, Known>): Listening {
  const faults: string[] = [];
  const watchers = new Set<() => void>();
  const forgotten = new Set<number>();
  let closed = false;
  let pong: string | undefined;

  function take(frame: Frame): void {
    if (frame.type === "pong") pong = frame.data;
    const { id } = frame;
    if (id === undefined) return;
    const it = known.get(id);
    if (it === undefined || forgotten.has(id)) {
      return void faults.push(`${frame.type} ${id} was not asked for`);
    }
    const fault = findFault(frame, it);
    if (fault !== undefined) faults.push(`${frame.type ?? "chunk"} ${id} ${fault}`);
  }

  (async () => {
    try {
      for (;;) {
        take(await client.next());
        watchers.forEach((watch) => watch());
      }
    } catch {
      closed = true;
      watchers.forEach((watch) => watch());
    }
  })();

  return {
    faults,
    closed: () => closed,
    pong: () => pong,
    forget(): void {
      for (const [id, { cancelled, requests }] of known) {
        if (cancelled && requests === 1) forgotten.add(id);
      }
    },
    until(holds): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      const watch = (): void => {
        if (!closed && !holds()) return;
        watchers.delete(watch);
        resolve();
      };
      watchers.add(watch);
      watch();
      return promise;
    },
  };
}

/** Says what is wrong with a frame, and counts the ends. */
function findFault(frame: Frame, it: Known): string | undefined {
  const { type } = frame;
  if (type === "grant") return undefined;
  const isReused = it.cancelled && it.requests > 1; // whose frame it is cannot be told
  if (it.ends >= it.requests) return "came behind the end";
  const isPart = type === undefined || type === "chunk" || type === "event";
  if (isPart && !it.begun && !isReused) return "came before the head";
  if (type === "response" && it.begun && !isReused) return "came twice";
  it.begun = type === "response" && frame.stream === true || isPart;
  if (type === "error" || type === "end" || frame.fin) it.ends++;
  if (type === "response" && !frame.stream) it.ends++;
  if (type === "error" || type === "end") it.begun = false;
  if (frame.fin) it.begun = false;
  const text = isPart && type !== "event" ? new TextDecoder().decode(frame.payload) : textOf(frame);
  const bare = text.replace(/[^A-Z]/g, "").replaceAll(it.letter, "");
  return bare === "" ? undefined : `has ${JSON.stringify(bare.slice(0, 20))}, not ${it.letter}`;
}

function textOf({ data, text, base64, type }: Frame): string {
  if (type === "event") return data;
  return text ?? (base64 === undefined ? "" : atob(base64));
}

async function within<T>(promise: Promise<T>, what: string | (() => string)): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`There was no ${typeof what === "string" ? what : what()}`));
  }, DEADLINE_MS);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

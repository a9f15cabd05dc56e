/**
 * Requests through the service whose connections end at every place, and how often they have reached the destination.
 *
 * @module
 */
import { encodeChunk, isIdempotent } from "../../src/protocol/mod.ts";
import { connectV1, type Frame, type TestClient } from "./client.ts";
import { type EndingServer, type Place, type Plan, startEnding } from "./ending_server.ts";
import { startRelayProxy } from "./relay_proxy.ts";
import { type Service, startService } from "./service.ts";

/** How the service makes its requests. */
export type By = "direct" | "fetch" | "proxy";

/** What is counted of the cases of a matrix. */
export interface Counts {
  cases: number;
  /** Connections over which a request, or the beginning of one, reached the destination. */
  hits: number;
  /** Hits on connections that had been used before. */
  reused: number;
  /** Cases with two hits: of requests that may be repeated, and of those that must not. */
  repeated: number;
  doubles: number;
  /** Cases without a hit, and those of them of which the client was told that nothing was sent. */
  missed: number;
  untouched: number;
  /** Errors by code and `sent`. */
  readonly outcomes: Record<string, number>;
  /** What is wrong, a line each. */
  readonly problems: string[];
}

/** A part of the matrix. */
export interface MatrixOptions {
  readonly by: By;
  readonly scheme: "http" | "https";
  /** 1: every byte of the request is a place; otherwise each so many, with the first and the last bytes. */
  readonly step: number;
  readonly kinds?: readonly Kind[];
}

const folder = new URL("certificates/faulty/", import.meta.url);
const read = (name: string): string => Deno.readTextFileSync(new URL(name, folder));

/** A certificate for 127.0.0.1 and `localhost`, and the certificate of its authority. */
export const CERTIFICATE = { cert: read("valid.pem"), key: read("server.key") } as const;
export const AUTHORITY = read("ca.pem");

/** The requests that are made. */
const KINDS = {
  POST: { method: "POST", text: "body" },
  "POST of a stream": { method: "POST", bodyFollows: true },
  GET: { method: "GET" },
  PUT: { method: "PUT", text: "body" },
} as const;

type Kind = keyof typeof KINDS;

/** The beginnings of responses, with whether the head is whole. */
const ANSWERS = [
  ["HTTP/1.1 200 OK\r\ncontent-le", false],
  ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", true],
  ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab", true],
] as const;

// Servers that are asked at the same time.
const LANES = 4;

interface Case {
  readonly kind: Kind;
  readonly isPooled: boolean;
  readonly plan: Plan;
}

/** A server and a client for it, which makes one request after the other. */
class Lane {
  readonly server: EndingServer;
  readonly #client: TestClient;
  #id = 0;

  constructor(server: EndingServer, client: TestClient) {
    this.server = server;
    this.#client = client;
  }

  async ask(kind: Kind): Promise<Frame> {
    const id = ++this.#id;
    const url = `${this.server.origin}/`;
    this.#client.send({ type: "request", id, url, timeoutMs: 10_000, ...KINDS[kind] });
    if ("bodyFollows" in KINDS[kind]) {
      for (const [index, part] of ["bo", "dy"].entries()) {
        const payload = new TextEncoder().encode(part);
        this.#client.send(encodeChunk({ id, fin: index === 1, payload }));
      }
    }
    for (;;) {
      const frame = await this.#client.next();
      if (frame.id === id && frame.type !== "grant") return frame;
    }
  }

  /** Makes the request of a case, after a first one where its connection is to be pooled. */
  async run({ kind, isPooled, plan }: Case): Promise<Frame> {
    if (isPooled) {
      this.server.plan(undefined);
      const { status } = await this.ask("GET");
      if (status !== 200) throw new Error("The first request failed");
    }
    this.server.plan(plan);
    const frame = await this.ask(kind);
    await this.server.drained();
    return frame;
  }
}

/** Starts a service that makes its requests in one way, to addresses of the loopback interface. */
export function startServiceBy(
  by: By,
  { proxy, ...settings }: Readonly<Record<string, string>> & { proxy: string },
): Service {
  const ways = {
    direct: { HTTP_CLIENT: "direct" },
    fetch: { HTTP_CLIENT: "fetch" },
    proxy: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy },
  };
  const all = { ALLOW_HOSTS: "127.0.0.1:*", ...ways[by], ...settings };
  return startService(all, { caCerts: [AUTHORITY] });
}

/** Runs a part of the matrix. */
export async function runMatrix(
  { by, scheme, step, kinds = Object.keys(KINDS) as Kind[] }: MatrixOptions,
): Promise<Counts> {
  const counts: Counts = {
    ...{ cases: 0, hits: 0, reused: 0, repeated: 0, doubles: 0, missed: 0, untouched: 0 },
    outcomes: {},
    problems: [],
  };
  await using stack = new AsyncDisposableStack();
  const proxy = stack.use(await startRelayProxy());
  const service = stack.use(startServiceBy(by, { proxy: proxy.origin }));
  const lanes: Lane[] = [];
  for (let index = 0; index < LANES; index++) {
    const server = stack.use(await startEnding(scheme === "https" ? CERTIFICATE : undefined));
    lanes.push(new Lane(server, stack.use(await connectV1(service.url))));
  }
  for (const isPooled of [false, true]) {
    for (const kind of kinds) {
      const bytes = await measure(lanes[0], kind, isPooled);
      const left = toPlans(bytes, { scheme, step, isPooled });
      await Promise.all(lanes.map(async (lane) => {
        for (let plan = left.pop(); plan !== undefined; plan = left.pop()) {
          const each = { kind, isPooled, plan };
          const frame = await lane.run(each);
          count(counts, { ...each, by, scheme, frame }, lane.server);
        }
      }));
    }
  }
  return counts;
}

/** Returns how many bytes of TCP a request has, with a handshake where it needs one. */
async function measure(lane: Lane | undefined, kind: Kind, isPooled: boolean): Promise<number> {
  const plan = { ending: "FIN", place: { type: "answer", text: "" } } as const;
  await lane?.run({ kind, isPooled, plan });
  return lane?.server.wireBytes() ?? 0;
}

function toPlans(
  bytes: number,
  { scheme, step, isPooled }: Pick<MatrixOptions, "scheme" | "step"> & { isPooled: boolean },
): Plan[] {
  const places: Place[] = [isPooled ? { type: "idle" } : { type: "accept" }];
  for (let at = 0; at <= bytes; at++) {
    const isChosen = at % step === 0 || at <= 2 || at >= bytes - 2;
    if (isChosen) places.push({ type: "wire", bytes: at });
  }
  const cut = (["FIN", "RST"] as const).flatMap((ending) =>
    [...places, ...answers()].map((place) => ({ ending, place }))
  );
  if (scheme === "http") return cut;
  const reads = (isPooled ? [1, 60] : [0, 1, 60]).map((at): Place => ({ type: "read", bytes: at }));
  const ended = [...reads, ...answers()].map((place) => ({
    ending: "close_notify" as const,
    place,
  }));
  return [...cut, ...ended];
}

function answers(): Place[] {
  return ANSWERS.map(([text]) => ({ type: "answer", text }));
}

/** A case with the frame that ended it. */
type Ended = Case & Pick<MatrixOptions, "by" | "scheme"> & { readonly frame: Frame };

function count(counts: Counts, ended: Ended, server: EndingServer): void {
  const { kind, isPooled, plan, frame } = ended;
  const hits = server.hits();
  const mayRepeat = isIdempotent(KINDS[kind].method);
  const outcome = frame.type === "error" ? `${frame.code} ${frame.sent}` : String(frame.status);
  counts.cases++;
  counts.hits += hits;
  counts.reused += server.reused();
  counts.outcomes[outcome] = (counts.outcomes[outcome] ?? 0) + 1;
  if (hits > 1) counts[mayRepeat ? "repeated" : "doubles"]++;
  if (hits === 0) counts.missed++;
  if (frame.sent === "no") counts.untouched++;
  const wrong = [
    hits > (mayRepeat && isPooled ? 2 : 1) && "too many requests",
    frame.sent === "no" && hits > 0 && "a request that reached the server was not sent",
    frame.type === "error" && !mayRepeat && frame.retryable !== (frame.sent === "no") &&
    "retryable",
    !isExpected(ended) && "another outcome",
  ].filter((text) => text !== false);
  const where = `${kind}, ${isPooled ? "pooled" : "fresh"}, ${plan.ending} at ${
    JSON.stringify(plan.place)
  }`;
  for (const text of wrong) counts.problems.push(`${text}: ${where}: ${outcome}, ${hits} hits`);
}

/** Reports whether a case ended as PROTOCOL.md says. */
function isExpected({ by, scheme, plan: { ending, place }, frame }: Ended): boolean {
  const { type, code, sent } = frame;
  if (place.type === "idle" && type === "response") return frame.status === 200;
  const isInBody = place.type === "answer" &&
    ANSWERS.some(([text, isWhole]) => isWhole && text === place.text);
  const isIncomplete = code === "http_response_incomplete" && sent === "yes";
  if (isInBody && (ending !== "RST" || isIncomplete)) return isIncomplete;
  // Between a proxy and the destination, the handshake is all that the service sees of the connection.
  if (by === "proxy" && scheme === "https" && code === "destination_unavailable") return true;
  return code === "connection_terminated" && sent !== "yes";
}

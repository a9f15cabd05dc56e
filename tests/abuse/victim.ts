/**
 * The role of a victim: a client that keeps to the rules, with a small server of its own, while others attack.
 *
 * @module
 */
import { quantile } from "../bench/statistics.ts";
import { pause, say } from "../bench/role.ts";
import { type Message, TEXT } from "../bench/load/frames.ts";
import { readLines } from "../bench/load/lines.ts";
import { startHttp } from "../helpers/upstream.ts";
import type { Counts } from "./attack.ts";
import { textFrame } from "./frames.ts";
import { connectPeer, HandshakeError } from "./peer_socket.ts";

const CONNECTIONS = 4;
/** How often an exchange is due, all connections together. */
const PACE_MS = 5;
const ANSWER_MS = 15_000;
const NEWCOMER_PAUSE_MS = 500;

/** What a victim is told to measure. */
export interface VictimJob {
  readonly port: number;
  readonly token?: string | undefined;
  readonly host: string;
  /** How long, or how many exchanges on each connection. */
  readonly milliseconds?: number;
  readonly exchanges?: number;
}

/** What a victim has measured. Times are in milliseconds. */
export interface Suffering {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
  /** Exchanges that failed or were answered wrongly, by their reasons. */
  readonly failures: Counts;
  /** New connections that were not served, by their reasons. */
  readonly newcomers: Counts;
}

interface Line extends Disposable {
  /** Makes one exchange; returns why it failed, or `undefined`. */
  exchange(id: number): Promise<string | undefined>;
}

/** Measures as it is told to, line by line. */
export async function runVictim(): Promise<void> {
  await using server = startHttp(({ url }) =>
    Response.json({ n: Number(new URL(url).searchParams.get("n")) })
  );
  const lines = new Map<number, Line>();
  let port = 0;
  for await (const text of readLines(Deno.stdin.readable)) {
    const job: VictimJob = JSON.parse(text);
    if (job.port !== port) {
      // Another service.
      for (const line of lines.values()) line[Symbol.dispose]();
      lines.clear();
      port = job.port;
    }
    const url = `http://${job.host}:${server.port}/`;
    say(JSON.stringify(await suffer(job, url, lines)));
  }
}

async function suffer(
  job: VictimJob,
  url: string,
  lines: Map<number, Line>,
): Promise<Suffering> {
  const times: number[] = [];
  const failures: Record<string, number> = {};
  const newcomers: Record<string, number> = {};
  const end = performance.now() + (job.milliseconds ?? Infinity);
  let isOver = false;

  async function keepOne(index: number): Promise<void> {
    for (let count = 0; performance.now() < end && count < (job.exchanges ?? Infinity); count++) {
      const startedAt = performance.now();
      const problem = await exchangeOn(index, count);
      const took = performance.now() - startedAt;
      // A response that took longer than the pace has kept the next exchanges from starting, which count as well.
      for (let late = took; late > 0; late -= PACE_MS * CONNECTIONS) times.push(late);
      if (problem !== undefined) failures[problem] = (failures[problem] ?? 0) + 1;
      if (job.milliseconds !== undefined || problem !== undefined) {
        await pause(PACE_MS * CONNECTIONS);
      }
    }
  }

  async function exchangeOn(index: number, count: number): Promise<string | undefined> {
    let line = lines.get(index);
    try {
      line ??= await openLine(job, url);
    } catch (error) {
      return describe(error);
    }
    lines.set(index, line);
    const problem = await line.exchange(count + 1);
    if (problem === undefined || /^\w+$/.test(problem)) return problem;
    line[Symbol.dispose]();
    lines.delete(index);
    return problem;
  }

  async function sendNewcomers(): Promise<void> {
    while (!isOver) {
      const problem = await visit(job, url);
      if (problem !== undefined) newcomers[problem] = (newcomers[problem] ?? 0) + 1;
      if (!isOver) await pause(NEWCOMER_PAUSE_MS);
    }
  }

  const coming = sendNewcomers();
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => keepOne(index)));
  isOver = true;
  await coming;
  return {
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    max: quantile(times, 1),
    samples: times.length,
    failures,
    newcomers,
  };
}

async function visit(job: VictimJob, url: string): Promise<string | undefined> {
  try {
    using line = await openLine(job, url);
    return await line.exchange(1);
  } catch (error) {
    return describe(error);
  }
}

async function openLine({ port, token }: VictimJob, url: string): Promise<Line> {
  let awaited = 0;
  let settle: (text: string) => void = () => {};
  const opening = connectPeer({
    port,
    token,
    keptBytes: 2048,
    onMessage({ opcode, head }: Message): void {
      if (opcode !== TEXT) return;
      const text = new TextDecoder().decode(head);
      if (text.includes(`"id":${awaited},`)) settle(text);
    },
  });
  const socket = await Promise.race([opening, pause(ANSWER_MS)]);
  if (socket === undefined) {
    opening.then((late) => late[Symbol.dispose](), () => {});
    throw new Error("no handshake in time");
  }
  socket.ended.then((code) => settle(`closed with ${code}`));
  return {
    async exchange(id): Promise<string | undefined> {
      const asked = Promise.withResolvers<string>();
      awaited = id;
      settle = asked.resolve;
      const timer = setTimeout(() => asked.resolve("no answer in time"), ANSWER_MS);
      const writing = socket.write(textFrame({ type: "request", id, url: `${url}?n=${id}` }));
      writing.catch(() => asked.resolve("the connection was lost"));
      const text = await asked.promise;
      clearTimeout(timer);
      if (text.endsWith(`"json":{"n":${id}}}`)) return undefined;
      return /"code":"(\w+)"/.exec(text)?.[1] ?? text.slice(0, 60);
    },
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}

function describe(error: unknown): string {
  if (error instanceof HandshakeError) return `refused with ${error.status}`;
  return error instanceof Error ? error.message.slice(0, 60) : "no connection";
}

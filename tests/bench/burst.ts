/**
 * A burst to one cold host: 64 requests at once, through one WebSocket, to an `https:` destination that has just been
 * started, directly and with round trips of 20 and 100 ms. More requests go through as many WebSockets as they need. The service with both HTTP clients, Node.js and the bare loop
 * take turns. Printed are the median of the rounds' medians and slowest responses, the connections that the destination
 * accepted, the CPU time of the server, and the ratio of the slowest responses to those of Node.js in the same round; the
 * target of `ours` is at most 2.
 *
 * Run: `deno run --allow-all tests/bench/burst.ts [REQUESTS] [NAME=FOLDER]…`, where FOLDER has another state of the service.
 */
import { makeCertificates } from "./certificates.ts";
import { placeProcesses } from "./cores.ts";
import { readLines } from "./load/lines.ts";
import { findPeers } from "./peers.ts";
import type { RelayJob } from "./peers/relay_server.ts";
import { countCpu } from "./proc.ts";
import {
  findPort,
  killDescendants,
  type Program,
  type ServerProcess,
  startServer,
  startWorker,
} from "./processes.ts";
import { createService } from "./service.ts";
import { type BenchSocket, connectBench } from "./socket.ts";
import { median, medianRatio, quantile } from "./statistics.ts";
import { startUpstream, type UpstreamPlace } from "./upstream.ts";

const [first = ""] = Deno.args;
const REQUESTS = first.includes("=") || first === "" ? 64 : Number(first);
// As many as one connection may have in flight.
const REQUESTS_PER_SOCKET = 64;
const ROUNDS = 12;
const WARM_ROUNDS = 3;
const ROUND_TRIPS_MS = [0, 20, 100];
const BODY_BYTES = 200;
const BASE = "node";

/** Called with each message of a server. */
interface Receiver {
  take: (text: string) => void;
}

/** A server that bursts go through. */
interface Runner {
  readonly name: string;
  readonly server: ServerProcess;
  readonly sockets: readonly BenchSocket[];
  readonly receiver: Receiver;
}

/** What one burst has shown. */
interface Burst {
  readonly medianMs: number;
  /** The 99th percentile of 64 is the slowest. */
  readonly slowestMs: number;
  readonly connections: number;
  readonly cpuMs: number;
}

// deno-lint-ignore no-console -- a benchmark says what it measured
const say = (text: string): void => console.log(text);

const placement = placeProcesses();

async function startRunner(name: string, program: Program, folder: string): Promise<Runner> {
  const port = Number(program.env?.["PORT"] ?? program.command.at(-1));
  const output = `${folder}/${name}.log`;
  const server = await startServer(program, { port, cores: placement.server, output });
  const receiver: Receiver = { take: () => {} };
  const sockets = await Promise.all(
    Array.from(
      { length: Math.ceil(REQUESTS / REQUESTS_PER_SOCKET) },
      () => connectBench(port, "none", (text) => receiver.take(text)),
    ),
  );
  return { name, server, sockets, receiver };
}

/** Returns the programs by name: the service in several forms, Node.js and the bare loop. */
async function findPrograms(
  folder: string,
  upstream: UpstreamPlace,
): Promise<ReadonlyMap<string, Program>> {
  const programs = new Map<string, Program>();
  const service = (HTTP_CLIENT: string): Program =>
    createService("start", {
      port: findPort(),
      upstream,
      settings: { HTTP_CLIENT, ALLOW_HOSTS: "127.0.0.1:*" },
    });
  programs.set("ours", service("direct"));
  programs.set("fetch", service("fetch"));
  for (const argument of Deno.args.filter((each) => each.includes("="))) {
    const [name = "", cwd = ""] = argument.split("=");
    programs.set(name, { ...service("direct"), cwd: Deno.realPathSync(cwd) });
  }
  const only = new Set([BASE, "bare"] as const);
  const { peers, missing } = await findPeers({ folder, upstream, start: undefined, only });
  for (const line of missing) say(line);
  for (const { name, program } of peers) {
    if (program !== undefined) programs.set(name, program(findPort(), "https"));
  }
  return programs;
}

/** Sends the requests at once and waits for all responses. */
async function send(runner: Runner, url: string): Promise<readonly number[]> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const times: number[] = [];
  runner.receiver.take = (text) => {
    if (text.startsWith('{"type":"hello"')) return;
    times.push(performance.now() - startedAt);
    if (!text.includes('"status":200')) reject(new Error(`${runner.name}: ${text}`));
    if (times.length === REQUESTS) resolve();
  };
  const texts = Array.from(
    { length: REQUESTS },
    (_, id) => JSON.stringify({ type: "request", id: id + 1, url, method: "GET" }),
  );
  const startedAt = performance.now();
  await Promise.all(
    runner.sockets.map((socket, i) =>
      socket.send(texts.slice(i * REQUESTS_PER_SOCKET, (i + 1) * REQUESTS_PER_SOCKET))
    ),
  );
  await promise;
  return times;
}

async function measure(folder: string): Promise<void> {
  const certificates = await makeCertificates(folder);
  const place = { ports: { http: 0, https: 0 }, certificates };
  await using stack = new AsyncDisposableStack();
  const runners: Runner[] = [];
  for (const [name, program] of await findPrograms(folder, place)) {
    const runner = await startRunner(name, program, folder);
    stack.use(runner.server);
    for (const socket of runner.sockets) stack.use(socket);
    runners.push(runner);
  }
  const relay = startWorker({
    command: [
      ...[Deno.execPath(), "run", "-A"],
      new URL("peers/relay_server.ts", import.meta.url).pathname,
    ],
  }, { cores: placement.upstream, output: `${folder}/relay.log` });
  const writer = relay.stdin.getWriter();
  stack.defer(() => writer.close());
  const ports = readLines(relay.stdout);

  async function openRelay(job: RelayJob): Promise<number> {
    await writer.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
    return Number((await ports.next()).value);
  }

  /** Makes a burst to a destination that nothing has connected to before. */
  async function burst(runner: Runner, roundTripMs: number): Promise<Burst> {
    const own = Deno.makeTempDirSync({ dir: folder });
    await using upstream = await startUpstream({
      folder: own,
      cores: placement.upstream,
      certificates,
    });
    const { https } = upstream.ports;
    const port = roundTripMs === 0 ? https : await openRelay({ port: https, roundTripMs });
    const before = await upstream.countConnections();
    const spent = countCpu(runner.server.pids());
    const times = await send(runner, `https://127.0.0.1:${port}/${BODY_BYTES}.json`);
    const cpuMs = spent() * 1000;
    const connections = await upstream.countConnections() - before - 1;
    Deno.removeSync(own, { recursive: true });
    return { medianMs: median(times), slowestMs: quantile(times, 0.99), connections, cpuMs };
  }

  say(
    `${placement.note}; ${ROUNDS} rounds; ${REQUESTS} requests; ${certificates.title}; load ${
      Deno.loadavg()[0]
    }`,
  );
  for (const roundTripMs of ROUND_TRIPS_MS) {
    const bursts = new Map<string, Burst[]>(runners.map(({ name }) => [name, []]));
    for (let round = -WARM_ROUNDS; round < ROUNDS; round++) {
      // Another one begins each round.
      const at = Math.abs(round) % runners.length;
      for (const runner of [...runners.slice(at), ...runners.slice(0, at)]) {
        const measured = await burst(runner, round < 0 ? 0 : roundTripMs);
        if (round >= 0) bursts.get(runner.name)?.push(measured);
      }
    }
    say(`\n${roundTripMs} ms  | p50 ms | p99 ms | p99, worst | connections | CPU ms | p99 ÷ node`);
    for (const [name, all] of bursts) {
      const slowest = all.map(({ slowestMs }) => slowestMs);
      const bases = bursts.get(BASE)?.map(({ slowestMs }) => slowestMs) ?? [];
      const cells = [
        median(all.map(({ medianMs }) => medianMs)).toFixed(1),
        median(slowest).toFixed(1),
        Math.max(...slowest).toFixed(1),
        median(all.map(({ connections }) => connections)),
        median(all.map(({ cpuMs }) => cpuMs)).toFixed(1),
        medianRatio(slowest, bases).toFixed(2),
      ];
      say([name.padEnd(6), ...cells].join(" | "));
    }
  }
}

const folder = Deno.makeTempDirSync({ prefix: "wsfetch-burst-" });

function cleanUp(): void {
  killDescendants();
  Deno.removeSync(folder, { recursive: true });
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    cleanUp();
    Deno.exit(130); // as a shell says that a signal has ended it
  });
}
try {
  await measure(folder);
} finally {
  cleanUp();
}
Deno.exit(0);

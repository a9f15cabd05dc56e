/**
 * What hosts that are asked once each leave behind: file descriptors and resident memory of the service before, right
 * after, and when the time of idle connections is over; three times 300 hosts with TLS, which are ports of one nginx that
 * keeps its connections open. With both HTTP clients. Takes seven minutes.
 *
 * Run: `deno run --allow-all tests/bench/hosts.ts`
 */
import { makeCertificates } from "./certificates.ts";
import { readResidentBytes } from "./proc.ts";
import { findPort, killDescendants, type ServerProcess, startServer } from "./processes.ts";
import { createService } from "./service.ts";
import { connectBench } from "./socket.ts";
import { nginxCommand } from "./upstream.ts";
import { wait } from "./wait.ts";

const HOSTS = 300;
const ROUNDS = 3;
// Twice the idle time of connections with TLS, when the last of them have been closed, and a little more.
const REST_MS = 125_000;
// As many as one connection may have in flight.
const AT_ONCE = 50;
const CLIENTS = ["direct", "fetch"] as const;

interface Runner {
  readonly name: string;
  readonly server: ServerProcess;
}

// deno-lint-ignore no-console -- a benchmark says what it measured
const say = (text: string): void => console.log(text);

function describe({ name, server }: Runner): string {
  const pids = server.pids();
  const descriptors = pids.flatMap((pid) => [...Deno.readDirSync(`/proc/${pid}/fd`)]).length;
  const mebibytes = readResidentBytes(pids) / 1024 / 1024;
  return `${name}: ${descriptors} descriptors, ${mebibytes.toFixed(1)} MiB`;
}

/** Asks once at each of the ports, several at once. */
async function ask({ server }: Runner, ports: readonly number[]): Promise<void> {
  let take: (text: string) => void = () => {};
  // Of its own each time: it would not answer the pings of the server while nothing is asked.
  using socket = await connectBench(server.port, "none", (text) => take(text));
  for (let at = 0; at < ports.length; at += AT_ONCE) {
    const some = ports.slice(at, at + AT_ONCE);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let responses = 0;
    take = (text) => {
      if (text.startsWith('{"type":"hello"')) return;
      if (!text.includes('"status":200')) reject(new Error(text));
      if (++responses === some.length) resolve();
    };
    await socket.send(
      some.map((port, i) =>
        JSON.stringify({ type: "request", id: i + 1, url: `https://127.0.0.1:${port}/` })
      ),
    );
    await promise;
  }
}

async function measure(folder: string): Promise<void> {
  const certificates = await makeCertificates(folder);
  const free = new Set<number>();
  while (free.size <= ROUNDS * HOSTS) free.add(findPort());
  const [warm = 0, ...ports] = free;
  const listening = [warm, ...ports].map((port) => `listen 127.0.0.1:${port} ssl;`).join("\n");
  const command = nginxCommand(
    folder,
    "destination",
    `access_log off; keepalive_timeout 1h;
server {
  ${listening}
  ssl_certificate ${certificates.certificate}; ssl_certificate_key ${certificates.key};
  location / { return 200 ok; }
}`,
  );
  const cores = undefined;
  await using _destination = await startServer({ command }, {
    port: warm,
    cores,
    output: `${folder}/destination.log`,
  });
  await using stack = new AsyncDisposableStack();
  const runners: Runner[] = [];
  for (const name of CLIENTS) {
    const port = findPort();
    const program = createService("start", {
      port,
      upstream: { ports: { http: 0, https: 0 }, certificates },
      settings: { HTTP_CLIENT: name, ALLOW_HOSTS: "127.0.0.1:*" },
    });
    const server = stack.use(
      await startServer(program, { port, cores, output: `${folder}/${name}.log` }),
    );
    runners.push({ name, server });
  }
  const tell = (when: string): void =>
    say(`${when.padEnd(22)} ${runners.map(describe).join("; ")}`);
  for (const runner of runners) await ask(runner, Array.from({ length: 500 }, () => warm));
  tell("before");
  for (let round = 0; round < ROUNDS; round++) {
    const some = ports.slice(round * HOSTS, (round + 1) * HOSTS);
    await Promise.all(runners.map((runner) => ask(runner, some)));
    tell(`after ${HOSTS * (round + 1)} hosts`);
    await wait(REST_MS);
    tell(`${REST_MS / 1000} s later`);
  }
}

const folder = Deno.makeTempDirSync({ prefix: "wsfetch-hosts-" });
try {
  await measure(folder);
} finally {
  killDescendants();
  Deno.removeSync(folder, { recursive: true });
}
Deno.exit(0);

/**
 * What one identity that floods costs another: the latency of small exchanges of `steady`, which keeps to
 * its limit, alone and while `flooder` sends 20 times what it may. Service, destination and both clients
 * are processes of their own. The target is a ratio of at most 1.5.
 *
 * Run: `deno run --allow-all tests/bench/flood.ts`
 */
import { startProcess } from "../helpers/process.ts";
import { startHttp } from "../helpers/upstream.ts";
import { readLines } from "./load/lines.ts";
import { pause, type Role, say, startRole as startRoleOf } from "./role.ts";
import { connectBench } from "./socket.ts";

const LIMIT = 100;
const STEADY_RATE = 80;
// One behind another without a pause: one by one they would mostly measure how a CPU wakes up.
const STEADY_GROUP = 10;
const FLOOD_RATE = 20 * LIMIT;
const FLOOD_CONNECTIONS = 4;
const FLOOD_TICK_MS = 2;
const ROUND_MS = 3000;
const ROUNDS = 5;

interface Latency {
  readonly median: number;
  readonly p95: number;
  readonly samples: number;
  readonly failed: number;
}

interface Flood {
  readonly sent: number;
  readonly passed: number;
  readonly limited: number;
  readonly other: number;
  readonly seconds: number;
}

const startRole = (...args: string[]): Role => startRoleOf(import.meta.filename, args);

function serve(): void {
  const { origin } = startHttp(() => Response.json({ small: true }));
  say(JSON.stringify(origin));
}

/** Small exchanges, one after another, in groups at a steady rate. */
async function runSteady(port: number, url: string): Promise<void> {
  let answered: (text: string) => void = () => {};
  using socket = await connectBench(port, "steady-token", (text) => answered(text));
  for await (const _ of readLines(Deno.stdin.readable)) {
    const times: number[] = [];
    let failed = 0;
    const begin = performance.now();
    for (let i = 1; performance.now() - begin < ROUND_MS; i++) {
      const answer = new Promise<string>((resolve) => answered = resolve);
      const startedAt = performance.now();
      await socket.send([JSON.stringify({ type: "request", id: i, url })]);
      const text = await answer;
      times.push(performance.now() - startedAt);
      if (!text.startsWith('{"type":"response"')) failed++;
      if (i % STEADY_GROUP !== 0) continue;
      await pause(Math.max(0, begin + i * 1000 / STEADY_RATE - performance.now()));
    }
    say(JSON.stringify({ ...summarize(times), failed }));
  }
}

function summarize(times: readonly number[]): Omit<Latency, "failed"> {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? NaN;
  return { median: at(0.5), p95: at(0.95), samples: sorted.length };
}

/** Sends evenly, whether it is answered or not, from one line to the next. */
async function runFlood(port: number, url: string): Promise<void> {
  let [passed, limited, other] = [0, 0, 0];
  const take = (text: string): void => {
    if (text.startsWith('{"type":"response"')) passed++;
    else if (text.includes('"rate_limited"')) limited++;
    else other++;
  };
  const sockets = await Promise.all(
    Array.from({ length: FLOOD_CONNECTIONS }, () => connectBench(port, "flooder-token", take)),
  );
  await pause(100); // the greetings are no answers
  let flooding = false;
  let flood = Promise.resolve();

  async function send(): Promise<void> {
    [passed, limited, other] = [0, 0, 0];
    const begin = performance.now();
    let sent = 0;
    while (flooding) {
      const due = Math.floor((performance.now() - begin) * FLOOD_RATE / 1000) - sent;
      const texts: string[][] = sockets.map(() => []);
      for (let i = 0; i < due; i++) {
        texts[++sent % sockets.length]?.push(JSON.stringify({ type: "request", id: sent, url }));
      }
      await Promise.all(sockets.map((socket, i) => socket.send(texts[i] ?? [])));
      await pause(FLOOD_TICK_MS);
    }
    const seconds = (performance.now() - begin) / 1000;
    await pause(200); // for the last answers
    say(JSON.stringify({ sent, passed, limited, other, seconds }));
  }

  for await (const word of readLines(Deno.stdin.readable)) {
    flooding = word === "go";
    if (flooding) flood = send();
    else await flood;
  }
}

async function measure(): Promise<void> {
  await using upstream = startRole("serve");
  const url = await upstream.next<string>();
  await using service = await startProcess({
    ALLOW_HOSTS: "127.0.0.1:*",
    AUTH_TOKENS: "steady:steady-token,flooder:flooder-token",
    LIMIT_REQUESTS_PER_SECOND: String(LIMIT),
    LOG_LEVEL: Deno.env.get("LOG_LEVEL") ?? "info",
  });
  await using steady = startRole("steady", String(service.port), url);
  await using flooder = startRole("flood", String(service.port), url);

  async function latency(): Promise<Latency> {
    await steady.tell("go");
    const measured = await steady.next<Latency>();
    if (measured.failed > 0) say(`${measured.failed} of ${measured.samples} FAILED`);
    return measured;
  }

  async function besideFlood(): Promise<{ latency: Latency; flood: Flood }> {
    await flooder.tell("go");
    await pause(200); // the first of its seconds goes by with what is allowed
    const measured = await latency();
    await flooder.tell("stop");
    return { latency: measured, flood: await flooder.next<Flood>() };
  }

  await besideFlood(); // warms up
  const ratios: number[] = [];
  const tails: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const alone = await latency();
    const { latency: beside, flood } = await besideFlood();
    ratios.push(beside.median / alone.median);
    tails.push(beside.p95 / alone.p95);
    const { sent, seconds, passed, limited, other } = flood;
    say(
      `alone ${format(alone)}, beside a flood ${format(beside)}: ${
        (beside.median / alone.median).toFixed(2)
      } times; the flood: ${
        (sent / seconds).toFixed(0)
      } requests/s, of ${sent} ${passed} passed, ` +
        `${limited} rate_limited, ${other} other`,
    );
  }
  say(
    `median ratio ${summarize(ratios).median.toFixed(2)}, of p95 ${
      summarize(tails).median.toFixed(2)
    }`,
  );
}

function format({ median, p95 }: Latency): string {
  return `${median.toFixed(2)} ms (p95 ${p95.toFixed(2)})`;
}

const [role, port, url = ""] = Deno.args;
if (role === "serve") serve();
else if (role === "steady") await runSteady(Number(port), url);
else if (role === "flood") await runFlood(Number(port), url);
else await measure();

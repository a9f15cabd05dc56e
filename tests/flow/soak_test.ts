/**
 * Many requests of every kind at once, and nothing left of them: no answer missing or given twice, no
 * request in flight at either end, no memory kept.
 */
import { assert, assertEquals } from "@std/assert";
import { connectV1, type TestClient } from "../helpers/client.ts";
import { type ServiceProcess, startProcess } from "../helpers/process.ts";
import { LOOPBACK } from "../helpers/service.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";

const CONNECTIONS = 50;
const REQUESTS_EACH = 40;
const MAX_GROWTH_MIB = 4;
const MAX_COLLECTIONS = 10;

/** What one connection did. */
interface Tally {
  readonly sent: number;
  readonly answered: number;
  readonly cancelled: number;
  readonly vanished: boolean;
}

// On SIGUSR1 the service collects its garbage and logs what is left.
const PROBE = "data:application/javascript," + encodeURIComponent(`
  Deno.addSignalListener("SIGUSR1", () => {
    gc();
    const { heapUsed, external } = Deno.memoryUsage();
    console.log(JSON.stringify({ event: "memory", bytes: heapUsed + external }));
  });
`);

/** The memory that a service holds on to, in MiB, as a collection leaves it. */
async function heldMib({ kill, log }: ServiceProcess): Promise<number> {
  const asked = log.lines.length;
  kill("SIGUSR1");
  const { bytes } = await log.logged("memory", (line) => log.lines.indexOf(line) >= asked);
  return Number(bytes) / 1024 / 1024;
}

/** The least that a service holds on to: buffers outside the heap may need a few collections to go. */
async function leastHeldMib(service: ServiceProcess): Promise<number> {
  let least = Infinity;
  for (let times = 0; times < MAX_COLLECTIONS; times++) {
    least = Math.min(least, await heldMib(service));
  }
  return least;
}

/** A mix of requests by number: every sort of answer, and some that never come. */
function requestOf(
  id: number,
  { origin, hangingOrigin, deadPort }: { origin: string; hangingOrigin: string; deadPort: number },
): Record<string, unknown> {
  const kinds = [
    { url: `${origin}/json` },
    { url: `${origin}/echo`, method: "POST", text: "x".repeat(1000) },
    { url: `${origin}/bytes`, headers: { "x-a": "b" } },
    { url: `${origin}/redirect` },
    { url: `${hangingOrigin}/slow`, timeoutMs: 20 },
    { url: `${hangingOrigin}/never` }, // is cancelled
    { url: `http://127.0.0.1:${deadPort}/` },
    { url: "http://10.0.0.1/" },
    { url: `${origin}/json`, unknown: true },
    { url: `${origin}/large` },
  ];
  return { type: "request", id, ...kinds[id % kinds.length] };
}

/** Sends the mix on one connection, all at once, and takes every answer; or leaves in the middle. */
async function runConnection(
  client: TestClient,
  request: (id: number) => Record<string, unknown>,
  vanishes: boolean,
): Promise<Tally> {
  const ids = Array.from({ length: REQUESTS_EACH }, (_, i) => i + 1);
  const frames = ids.map(request);
  for (const frame of frames) client.send(frame);
  const cancelled = frames.filter(({ url }) => String(url).endsWith("/never"));
  for (const { id } of cancelled) client.send({ type: "cancel", id });
  if (vanishes) {
    await client.next();
    client.webSocket.close();
    await client.closed;
    return { sent: ids.length, answered: 0, cancelled: 0, vanished: true };
  }
  const expected = ids.length - cancelled.length;
  const answers = await client.take(expected);
  // The pong is behind everything that could still have come for these ids.
  assertEquals(await client.ask({ type: "ping", data: "end" }), { type: "pong", data: "end" });
  const answered = new Set(answers.map(({ id }) => id));
  assertEquals(answered.size, expected, "every id is answered once");
  assert(cancelled.every(({ id }) => !answered.has(id)), "no cancelled id is answered");
  return { sent: ids.length, answered: expected, cancelled: cancelled.length, vanished: false };
}

async function runRound(
  service: ServiceProcess,
  request: (id: number) => Record<string, unknown>,
): Promise<Tally[]> {
  return await Promise.all(Array.from({ length: CONNECTIONS }, async (_, index) => {
    await using client = await connectV1(service.url);
    return await runConnection(client, request, index % 5 === 4);
  }));
}

Deno.test(
  "2,000 mixed requests on 50 connections leave nothing behind",
  { timeout: 300_000 },
  async () => {
    let inFlight = 0;
    const idle = { check: (): void => {} };
    const large = "x".repeat(200_000);
    const answer = async (request: Request): Promise<Response> => {
      const { pathname } = new URL(request.url);
      if (pathname === "/echo") return new Response(await request.text());
      if (pathname === "/bytes") return new Response(new Uint8Array([0xff, 0xfe]));
      if (pathname === "/redirect") return Response.redirect(new URL("/json", request.url));
      if (pathname === "/large") return new Response(large);
      return Response.json({ n: 1 });
    };
    await using upstream = startHttp(answer);
    await using hanging = startRaw(async (connection) => {
      inFlight++;
      await connection.peerClosed();
      inFlight--;
      idle.check();
      connection.close();
    });
    const deadPort = await freePort();
    await using service = await startProcess({ ...LOOPBACK, ALLOW_HOSTS: "127.0.0.1:*" }, [
      "--v8-flags=--expose-gc",
      "--preload",
      PROBE,
    ]);
    const request = (id: number): Record<string, unknown> =>
      requestOf(id, { origin: upstream.origin, hangingOrigin: hanging.origin, deadPort });

    const allEnded = async (count: number): Promise<void> => {
      let ended = 0;
      await service.log.logged("disconnected", () => ++ended === count);
    };
    await runRound(service, request); // warms up: code, pools and buffers are there from now on
    await allEnded(CONNECTIONS);
    const before = await leastHeldMib(service);
    const tallies = await runRound(service, request);
    await allEnded(2 * CONNECTIONS);
    const after = await leastHeldMib(service);

    const sum = (pick: (tally: Tally) => number): number =>
      tallies.reduce((total, tally) => total + pick(tally), 0);
    assertEquals(sum(({ sent }) => sent), CONNECTIONS * REQUESTS_EACH);
    assertEquals(tallies.filter(({ vanished }) => vanished).length, CONNECTIONS / 5);

    // The service has closed its books on every exchange and every connection.
    service.kill("SIGTERM");
    assertEquals((await service.status).code, 0);
    assertEquals(service.log.lines.filter(({ event }) => event === "failed"), []);
    const ended = service.log.lines.filter(({ event }) => event === "disconnected");
    assertEquals(ended.length, 2 * CONNECTIONS);
    const exchanged = service.log.lines.filter(({ event }) => event === "exchanged");
    const begun = ended.reduce((total, { exchanges }) => total + Number(exchanges), 0);
    assertEquals(exchanged.length, begun, "each exchange has its line");
    const left = exchanged.filter(({ outcome }) => outcome === "cancelled").length;
    assert(left >= sum(({ cancelled }) => cancelled), "each cancel is one of them");

    // The upstream has nothing left in flight either.
    const { promise, resolve } = Promise.withResolvers<void>();
    idle.check = () => inFlight === 0 && resolve();
    idle.check();
    await promise;

    assert(after - before < MAX_GROWTH_MIB, `the memory held grew from ${before} to ${after} MiB`);
  },
);

/** A port on which nothing listens. */
async function freePort(): Promise<number> {
  await using server = startHttp(() => new Response());
  return server.port;
}

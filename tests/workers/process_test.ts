/**
 * The service with several workers, in a process of its own.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connectV1, type Frame, type TestClient } from "../helpers/client.ts";
import { createLog } from "../helpers/log.ts";
import { readLines, type ServiceProcess, startCommand, startProcess } from "../helpers/process.ts";
import { LOOPBACK } from "../helpers/service.ts";
import { startHttp } from "../helpers/upstream.ts";
import { type Family, parseExposition } from "../telemetry/exposition.ts";

const WORKERS = { ...LOOPBACK, WORKERS: "2" };
// The kernel distributes connections by their ports: all of these go to one worker once in 2³¹ times.
const CLIENTS = 32;

async function connectMany(
  { url }: ServiceProcess,
): Promise<{ readonly clients: readonly TestClient[] } & AsyncDisposable> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connectV1(url)));
  return {
    clients,
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
    },
  };
}

/** Reads the metrics over a new connection, which goes to any of the workers. */
async function readMetrics({ origin }: ServiceProcess): Promise<ReadonlyMap<string, Family>> {
  using client = Deno.createHttpClient({});
  const response = await fetch(`${origin}/metrics`, { client });
  return parseExposition(await response.text());
}

function sum(families: ReadonlyMap<string, Family>, name: string): number {
  const samples = families.get(name)?.samples ?? [];
  return samples.reduce((total, { value }) => total + value, 0);
}

/** Returns the flags for a module that runs before the service, in the thread of the coordinator. */
function toPreload(source: string): readonly string[] {
  return ["--preload", "data:application/javascript," + encodeURIComponent(source)];
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} finishes what is in flight on all workers, and the process exits with 0`, async () => {
    let came = 0;
    const all = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    await using upstream = startHttp(async () => {
      if (++came === CLIENTS) all.resolve();
      await gate.promise;
      return new Response("finished");
    });
    await using service = await startProcess(WORKERS);
    await using many = await connectMany(service);
    for (const client of many.clients) {
      client.send({ type: "request", id: 1, url: upstream.origin });
    }
    await all.promise;
    service.kill(signal);
    for (const client of many.clients) {
      assertEquals(await client.next(), { type: "goaway", graceMs: 10000 });
    }
    for (const _ of Array(8)) {
      using client = Deno.createHttpClient({});
      const ready = await fetch(`${service.origin}/readyz`, { client });
      assertEquals([ready.status, (await ready.json()).error.code], [503, "draining"]);
    }
    gate.resolve();
    for (const client of many.clients) {
      assertEquals((await client.next()).text, "finished");
      assertEquals(await client.closed, { code: 1001, reason: "Going away" });
    }
    assertEquals((await service.status).code, 0);
    const events = service.log.lines.map(({ event }) => event);
    assertEquals(events.filter((event) => event === "exchanged").length, CLIENTS);
    const ofTheService = ["started", "draining", "stopped"];
    assertEquals(events.filter((event) => ofTheService.includes(String(event))), ofTheService);
    assertEquals([events[0], events.at(-1)], ["started", "stopped"]);
    assertEquals(service.log.lines.find(({ event }) => event === "draining")?.connections, CLIENTS);
  });
}

Deno.test("a second signal ends a process of several workers at once", async () => {
  const came = Promise.withResolvers<void>();
  await using upstream = startHttp(() => {
    came.resolve();
    return new Promise<Response>(() => {});
  });
  await using service = await startProcess({ ...WORKERS, DRAIN_MS: "600000" });
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: upstream.origin });
  await came.promise;
  service.kill("SIGINT");
  assertEquals((await client.next()).type, "goaway");
  service.kill("SIGINT");
  assertEquals((await service.status).code, 130);
});

Deno.test("SIGHUP reloads the named upstreams of all workers, and keeps them if the new ones are wrong", async () => {
  await using first = startHttp(() => new Response("first"));
  await using second = startHttp(({ headers }) => new Response(headers.get("x-key")));
  const file = await Deno.makeTempFile();
  const secret = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(secret, "the-secret");
    await Deno.writeTextFile(file, JSON.stringify({ a: first.origin }));
    await using service = await startProcess({ ...WORKERS, UPSTREAMS: file });
    await using many = await connectMany(service);
    const askAll = async (): Promise<Set<string>> => {
      const answers = many.clients.map((client) =>
        client.ask({ type: "request", id: 1, upstream: "a", path: "/" })
      );
      return new Set((await Promise.all(answers)).map(({ text }) => text));
    };
    assertEquals(await askAll(), new Set(["first"]));

    const headers = { "x-key": `\${file:${secret}}` };
    await Deno.writeTextFile(file, JSON.stringify({ a: { baseUrl: second.origin, headers } }));
    service.kill("SIGHUP");
    assertEquals((await service.log.logged("reloaded")).upstreams, ["a"]);
    assertEquals(await askAll(), new Set(["the-secret"]));

    await Deno.writeTextFile(file, "{");
    service.kill("SIGHUP");
    await service.log.logged("failed");
    assertEquals(await askAll(), new Set(["the-secret"]));
    assertEquals(sum(await readMetrics(service), "wsfetch_failures_total"), 1);
    const events = service.log.lines.map(({ event }) => event);
    assertEquals(events.filter((event) => event === "reloaded" || event === "failed"), [
      "reloaded",
      "failed",
    ]);
  } finally {
    await Deno.remove(file);
    await Deno.remove(secret);
  }
});

Deno.test("wrong settings end the start of several workers with exit code 2 and one line for each problem", async () => {
  const upstreams = JSON.stringify({ a: "ftp://a", b: "nowhere" });
  for (
    const { settings, expected } of [
      { settings: { PORT: "eighty", WORKERS: "0" }, expected: ["PORT", "WORKERS"] },
      { settings: { ...WORKERS, UPSTREAMS: upstreams }, expected: ["UPSTREAMS", "UPSTREAMS"] },
    ]
  ) {
    const { code, stdout, stderr } = await startCommand(settings).output();
    assertEquals([code, stdout.length], [2, 0]);
    const lines = new TextDecoder().decode(stderr).trimEnd().split("\n");
    assertEquals(lines.map((line) => line.split(/[:.]/)[0]), expected);
  }
});

Deno.test("a port that is taken ends the start of several workers with exit code 1, even if it could be shared", async () => {
  await using other = startHttp(() => new Response());
  await using service = await startProcess(WORKERS);
  for (const { port } of [other, service]) {
    const { code, stdout, stderr } = await startCommand({ ...WORKERS, PORT: String(port) })
      .output();
    assertEquals([code, stdout.length], [1, 0]);
    assertStringIncludes(
      new TextDecoder().decode(stderr),
      `Cannot listen on http://127.0.0.1:${port}/: `,
    );
  }
});

Deno.test("/metrics of any worker has the metrics of all workers added up", async () => {
  await using upstream = startHttp(() => new Response("0123456789"));
  await using service = await startProcess({ ...WORKERS, UPSTREAMS: `{"a":"${upstream.origin}"}` });
  await using many = await connectMany(service);
  for (const [index, client] of many.clients.entries()) {
    for (let id = 1; id <= index + 1; id++) {
      await client.ask({ type: "request", id, upstream: "a", path: "/" });
    }
  }
  const exchanges = CLIENTS * (CLIENTS + 1) / 2;
  // A frame is sent before its exchange is counted.
  await service.log.logged("exchanged", ({ exchange }) => exchange === CLIENTS);
  for (const _ of Array(8)) {
    const families = await readMetrics(service);
    const [{ labels = undefined } = {}, ...others] =
      families.get("wsfetch_exchanges_total")?.samples ?? [];
    assertEquals([labels, others], [{ code: "response", method: "GET", upstream: "a" }, []]);
    assertEquals(sum(families, "wsfetch_exchanges_total"), exchanges);
    assertEquals(sum(families, "wsfetch_response_bytes_total"), 10 * exchanges);
    assertEquals(sum(families, "wsfetch_connections_total"), CLIENTS);
    assertEquals(sum(families, "wsfetch_open_connections"), CLIENTS);
    assertEquals(sum(families, "wsfetch_exchanges_in_flight"), 0);
    assertEquals(sum(families, "wsfetch_build_info"), 1);
    const durations = families.get("wsfetch_exchange_duration_seconds")?.samples ?? [];
    const of = (suffix: string, le?: string): number | undefined =>
      durations.find(({ name, labels }) => name.endsWith(suffix) && labels.le === le)?.value;
    assertEquals([of("_count"), of("_bucket", "+Inf")], [exchanges, exchanges]);
    const started = sum(families, "wsfetch_start_time_seconds");
    assert(Math.abs(Date.now() / 1000 - started) < 60, `${started}`);
    const memory = families.get("wsfetch_memory_bytes")?.samples ?? [];
    const [resident = 0, heap = 0] = ["resident", "heap_used"].map((area) =>
      memory.find(({ labels }) => labels.area === area)?.value
    );
    const status = await Deno.readTextFile(`/proc/${service.pid}/status`);
    const actual = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
    assert(resident > actual / 2 && resident < actual * 2, `${resident} of ${actual}`);
    assert(heap > 0 && heap < resident, `${heap} of ${resident}`);
  }
});

Deno.test("METRICS=off leaves /metrics out of every worker", async () => {
  await using service = await startProcess({ ...WORKERS, METRICS: "off" });
  for (const _ of Array(8)) {
    using client = Deno.createHttpClient({});
    const response = await fetch(`${service.origin}/metrics`, { client });
    await response.body?.cancel();
    assertEquals(response.status, 404);
  }
});

Deno.test("MAX_CONNECTIONS limits the connections of all workers together exactly", async () => {
  await using service = await startProcess({
    ...WORKERS,
    MAX_CONNECTIONS: String(CLIENTS),
    LIMIT_CONNECTIONS: "0",
  });
  await using many = await connectMany(service);
  const ask = async (): Promise<number> => {
    using client = Deno.createHttpClient({});
    const response = await fetch(`${service.origin}/console/handshake`, { method: "POST", client });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await Promise.all(Array.from({ length: 8 }, ask)), Array(8).fill(429));
  await many.clients[0]?.[Symbol.asyncDispose]();
  await service.log.logged("disconnected");
  assertEquals(await Promise.all(Array.from({ length: 8 }, ask)), Array(8).fill(204));
});

Deno.test("the limits of an identity apply to its connections on all workers together", async () => {
  await using upstream = startHttp(() => new Response("0123456789"));
  const ask = (
    { clients }: { readonly clients: readonly TestClient[] },
    id: number,
  ): Promise<Frame[]> =>
    Promise.all(
      clients.map((client) => client.ask({ type: "request", id, url: upstream.origin })),
    );
  const countAnswered = (answers: readonly Frame[]): number =>
    answers.filter(({ type }) => type === "response").length;

  // A minute is longer than the test, so refused requests stay refused.
  await using slow = await startProcess({ ...WORKERS, LIMIT_BYTES_PER_MINUTE: "50" });
  await using many = await connectMany(slow);
  const answers: Frame[] = [];
  for (const client of many.clients) answers.push(...await ask({ clients: [client] }, 1));
  assertEquals(countAnswered(answers), 5);
  assertEquals(answers.at(-1).code, "rate_limited");

  await using crowded = await startProcess({ ...WORKERS, LIMIT_CONNECTIONS: String(CLIENTS) });
  await using all = await connectMany(crowded);
  await assertRejects(() => connectV1(crowded.url));
  await all.clients[0]?.[Symbol.asyncDispose]();
  await crowded.log.logged("disconnected");
  await using _last = await connectV1(crowded.url);
  await assertRejects(() => connectV1(crowded.url));
});

/** On SIGUSR2, ends the workers that have run for the longest time, as Deno does when an isolate cannot go on. */
function toKiller(count: number): readonly string[] {
  return toPreload(`
    const workers = [];
    globalThis.Worker = class extends Worker {
      constructor(...args) {
        super(...args);
        workers.push(this);
      }
    };
    Deno.addSignalListener("SIGUSR2", () => {
      for (const worker of workers.splice(0, ${count})) {
        worker.terminate();
        worker.onerror(new ErrorEvent("error", { message: "it was killed", cancelable: true }));
      }
    });
  `);
}

Deno.test("a worker that ends is replaced; the others go on, and no metrics are lost", async () => {
  await using upstream = startHttp(() => new Response("small"));
  const limits = { LIMIT_CONNECTIONS: String(2 * CLIENTS), MAX_CONNECTIONS: String(2 * CLIENTS) };
  await using service = await startProcess({ ...WORKERS, ...limits }, toKiller(1));
  const ask = async ({ clients }: { readonly clients: readonly TestClient[] }): Promise<void> => {
    for (const client of clients) {
      const answer = await client.ask({ type: "request", id: 1, url: upstream.origin });
      assertEquals(answer.text, "small");
    }
  };
  await using first = await connectMany(service);
  await ask(first);
  await readMetrics(service); // what is shown must not go back
  service.kill("SIGUSR2");
  const { error } = await service.log.logged("failed");
  assertEquals(error, "Worker 0 has ended: it was killed");
  let starts = 0;
  await service.log.logged("started", () => ++starts === 2);

  const left = first.clients.filter(({ webSocket }) => webSocket.readyState === WebSocket.OPEN);
  assert(left.length > 0 && left.length < CLIENTS, `${left.length}`);
  await using second = await connectMany(service); // the worker that ended has given its places back
  await ask({ clients: [...left, ...second.clients] });
  await service.log.logged("exchanged", ({ exchange }) => exchange === 2);
  const families = await readMetrics(service);
  assertEquals(sum(families, "wsfetch_connections_total"), 2 * CLIENTS);
  assertEquals(sum(families, "wsfetch_open_connections"), left.length + CLIENTS);
  assertEquals(sum(families, "wsfetch_exchanges_total"), 2 * CLIENTS + left.length);
  assertEquals(sum(families, "wsfetch_failures_total"), 1);

  service.kill("SIGTERM");
  assertEquals((await service.status).code, 0);
  const draining = service.log.lines.find(({ event }) => event === "draining");
  assertEquals(draining?.connections, left.length + CLIENTS);
});

Deno.test("workers that all end at the same time are replaced", async () => {
  await using upstream = startHttp(() => new Response("small"));
  await using service = await startProcess(WORKERS, toKiller(2));
  service.kill("SIGUSR2");
  let starts = 0;
  await Promise.race([
    service.log.logged("started", () => ++starts === 3),
    service.status.then(() => Promise.reject(new Error("The process has ended"))),
  ]);
  const failures = service.log.lines.filter(({ event }) => event === "failed");
  assertEquals(failures.map(({ error }) => error), [
    "Worker 0 has ended: it was killed",
    "Worker 1 has ended: it was killed",
  ]);
  await using many = await connectMany(service);
  for (const client of many.clients) {
    const response = await client.ask({ type: "request", id: 1, url: upstream.origin });
    assertEquals(response.text, "small");
  }
  service.kill("SIGTERM");
  assertEquals((await service.status).code, 0);
});

Deno.test("a worker that cannot start ends the start with exit code 1", async () => {
  const flags = toPreload(`
    globalThis.Worker = class extends Worker {
      constructor(_url, options) {
        super("data:application/javascript,throw new Error('it is broken')", options);
      }
    };
  `);
  const { code, stdout, stderr } = await startCommand(WORKERS, { flags }).output();
  assertEquals([code, stdout.length], [1, 0]);
  const line = "\nA worker could not be started: Uncaught (in promise) Error: it is broken\n";
  assertStringIncludes(new TextDecoder().decode(stderr), line);
});

Deno.test("a worker that is stuck delays neither /metrics nor the end of the service", async () => {
  const flags = toPreload(`
    let count = 0;
    globalThis.Worker = class extends Worker {
      #stuck = ++count === 2;
      postMessage(message) {
        if (!this.#stuck || ["start", "listen", "rendered"].includes(message.type)) {
          super.postMessage(message);
        }
      }
    };
  `);
  await using service = await startProcess({ ...WORKERS, DRAIN_MS: "0" }, flags);
  await using _many = await connectMany(service);
  const connected = sum(await readMetrics(service), "wsfetch_connections_total");
  assert(connected > 0 && connected < CLIENTS, `${connected}`);
  service.kill("SIGTERM");
  assertEquals((await service.status).code, 0);
  assertEquals(service.log.lines.at(-1)?.event, "stopped");
});

/** Replaces workers by modules that log their permissions; on SIGUSR2, the coordinator logs its own. */
const ASK = toPreload(`
  const names = ["env", "read", "net", "write", "run", "sys", "ffi"];
  const ask = \`
    const granted = \${JSON.stringify(names)}
      .filter((name) => Deno.permissions.querySync({ name }).state === "granted");
    console.log(JSON.stringify({ event: "asked", granted }));
  \`;
  globalThis.Worker = class extends Worker {
    constructor(_url, options) {
      super("data:application/javascript," + encodeURIComponent(ask), options);
    }
  };
  Deno.addSignalListener("SIGUSR2", () => {
    const granted = names.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
    console.log(JSON.stringify({ event: "started", granted }));
  });
`);

Deno.test("workers may use the network only; the coordinator may read files too", async () => {
  const child = startCommand(WORKERS, { flags: ASK }).spawn();
  const log = createLog();
  const reading = readLines(child.stdout, log.write);
  const complaints = child.stderr.text();
  assertEquals((await log.logged("asked")).granted, ["net"]);
  child.kill("SIGUSR2");
  assertEquals((await log.logged("started")).granted, ["read", "net"]);
  child.kill("SIGKILL");
  await Promise.all([child.status, reading, complaints]);
});

Deno.test("log lines of several workers are never mixed", async () => {
  await using upstream = startHttp(() => new Response("x"));
  await using service = await startProcess({ ...WORKERS, LOG_LEVEL: "debug" });
  await using many = await connectMany(service);
  const each = 100;
  await Promise.all(many.clients.map(async (client) => {
    for (let id = 1; id <= each; id++) {
      client.send({ type: "request", id, url: upstream.origin });
      if (id % 20 === 0) await client.take(20);
    }
  }));
  service.kill("SIGTERM");
  assertEquals((await service.status).code, 0);
  // A line that contains part of another would not be JSON.
  const events = service.log.lines.map(({ event }) => event);
  assertEquals(events.filter((event) => event === "exchanged").length, CLIENTS * each);
});

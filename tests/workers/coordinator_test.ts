/**
 * The coordinator with threads and time of the test. process_test.ts has the service with real threads.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { parseConfig } from "../../src/config/config.ts";
import { ListenError } from "../../src/server/listener.ts";
import type { Service } from "../../src/service.ts";
import { serveTogether, StartError } from "../../src/workers/coordinator.ts";
import type { FromWorker, ToWorker } from "../../src/workers/messages.ts";
import type { Thread } from "../../src/workers/thread.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";

const URL_1 = "http://127.0.0.1:8000/";

/** A thread of the test. */
interface FakeThread {
  readonly index: number;
  readonly posted: ToWorker[];
  readonly send: (message: FromWorker) => void;
}

interface Fixture {
  readonly clock: FakeClock;
  /** All threads that were started. */
  readonly threads: readonly FakeThread[];
  readonly starting: Promise<Service>;
  /** Returns the lines that were logged, without their times. */
  readonly lines: () => readonly Readonly<Record<string, unknown>>[];
}

function setUp(settings: Record<string, string> = {}): Fixture {
  const env = { PORT: "0", WORKERS: "2", DRAIN_MS: "5000", ...settings };
  const clock = createFakeClock();
  const threads: FakeThread[] = [];
  let log = "";
  function writeSync(bytes: Uint8Array): number {
    log += new TextDecoder().decode(bytes);
    return bytes.length;
  }
  const starting = serveTogether(parseConfig(env), {
    env,
    workers: 2,
    clock,
    startThread({ index }, send): Thread {
      const thread: FakeThread = { index, posted: [], send };
      threads.push(thread);
      return { post: (message) => void thread.posted.push(message) };
    },
    stream: { write: async (bytes) => await writeSync(bytes), writeSync },
  });
  return {
    clock,
    threads,
    starting,
    lines: () =>
      log.trim().split("\n").filter(Boolean).map((line) => {
        const { time: _, level: __, ...rest } = JSON.parse(line);
        return rest;
      }),
  };
}

/** Fulfils when everything that does not wait for a timer has run. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** Has both workers listen, so that the service runs. */
async function start({ threads, starting }: Fixture): Promise<Service> {
  for (const { send } of threads) send({ type: "ready" });
  await settled();
  for (const { send } of threads.slice(0, 2)) {
    send({ type: "listening", url: URL_1, port: 8000 });
    await settled();
  }
  return await starting;
}

/** Ends the service; both workers reply. */
async function end(service: Service, { threads }: Fixture): Promise<void> {
  const ending = service.end();
  for (const type of ["drained", "closed"] as const) {
    for (const { send } of threads) send({ type });
    await settled();
  }
  await ending;
}

const typesOf = ({ posted }: FakeThread): readonly string[] => posted.map(({ type }) => type);

Deno.test("serveTogether() has workers listen one after the other, all on the port of the first", async () => {
  const fixture = setUp();
  const { threads, starting } = fixture;
  assertEquals(threads.map(({ index }) => index), [0, 1]);
  threads[0]?.send({ type: "ready" });
  await settled();
  assertEquals(threads.map(typesOf), [[], []]);
  threads[1]?.send({ type: "ready" });
  await settled();
  assertEquals(threads.map(({ posted }) => posted), [[{ type: "listen", port: 0 }], []]);
  threads[0]?.send({ type: "listening", url: URL_1, port: 8000 });
  await settled();
  assertEquals(threads[1]?.posted, [{ type: "listen", port: 8000 }]);
  threads[1]?.send({ type: "listening", url: URL_1, port: 8000 });
  const service = await starting;
  await end(service, fixture);
  assertEquals(fixture.lines().map(({ event }) => event), ["started", "draining", "stopped"]);
  assertEquals(fixture.lines()[0]?.["url"], URL_1);
});

Deno.test("serveTogether() rejects if a worker cannot listen at the start", async () => {
  const { threads, starting } = setUp();
  threads[1]?.send({ type: "unable", problem: "the port is taken" });
  await assertRejects(() => starting, ListenError, "the port is taken");
});

Deno.test("serveTogether() rejects if a worker ends at the start", async () => {
  const { threads, starting } = setUp();
  threads[0]?.send({ type: "ended", reason: "it is broken" });
  await assertRejects(
    () => starting,
    StartError,
    "A worker could not be started: it is broken",
  );
});

Deno.test("a worker that replaces another listens, and tries again every second while it cannot", async () => {
  const fixture = setUp();
  const { clock, threads } = fixture;
  const service = await start(fixture);
  threads[0]?.send({ type: "ended", reason: "it was killed" });
  clock.advance(100);
  const [, , third] = threads;
  assertEquals(third?.index, 0);
  third?.send({ type: "ready" });
  assertEquals(third?.posted, [{ type: "listen", port: 8000 }]);
  for (const times of [2, 3]) {
    third?.send({ type: "unable", problem: "there are too many open files" });
    clock.advance(999);
    assertEquals(third?.posted.length, times - 1);
    clock.advance(1);
    assertEquals(third?.posted.length, times);
  }
  third?.send({ type: "listening", url: URL_1, port: 8000 });
  await end(service, fixture);
  const failures = fixture.lines().filter(({ event }) => event === "failed");
  assertEquals(failures.map(({ error }) => error), [
    "Worker 0 has ended: it was killed",
    "there are too many open files",
    "there are too many open files",
  ]);
  assertEquals(fixture.lines().filter(({ event }) => event === "started").length, 2);
});

Deno.test("reload() logs when all workers have replied, or after 5 seconds", async () => {
  const fixture = setUp();
  const { clock, threads, lines } = fixture;
  const service = await start(fixture);
  const reloads = (): number => lines().filter(({ event }) => event === "reloaded").length;
  service.reload();
  threads[0]?.send({ type: "reloaded" });
  await settled();
  threads[1]?.send({ type: "reloaded" });
  await settled();
  assertEquals(clock.delays, []);
  service.reload();
  threads[0]?.send({ type: "reloaded" });
  await settled();
  assertEquals(clock.delays, [5000]);
  clock.advance(5000);
  await settled();
  await end(service, fixture);
  assertEquals(reloads(), 2);
  const [{ sources } = { sources: undefined }] = (threads[1]?.posted ?? []).flatMap((message) =>
    message.type === "reload" ? [message] : []
  );
  assertEquals(sources?.env["WORKERS"], "2");
});

Deno.test("reload() logs what is wrong with the upstreams, and keeps those that are in use", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, '{"api": "https://api.example.com"}');
    const fixture = setUp({ UPSTREAMS: path });
    const service = await start(fixture);
    await Deno.writeTextFile(path, "{");
    service.reload();
    const [failure] = fixture.lines().filter(({ event }) => event === "failed");
    assertEquals(String(failure?.["error"]).includes("is not valid JSON"), true);
    assertEquals(fixture.threads.map((thread) => typesOf(thread).includes("reload")), [
      false,
      false,
    ]);
    await end(service, fixture);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a worker that asks for metrics gets them when all have replied, or after a second", async () => {
  const fixture = setUp();
  const { clock, threads } = fixture;
  const service = await start(fixture);
  const [first] = threads;
  first?.send({ type: "render" });
  await settled();
  assertEquals(threads.map((thread) => typesOf(thread).at(-1)), ["measure", "measure"]);
  for (const { send } of threads) send({ type: "measured", snapshot: [] });
  await settled();
  const rendered = first?.posted.at(-1);
  assertEquals(
    rendered?.type === "rendered" && rendered.text?.includes("wsfetch_build_info"),
    true,
  );
  first?.send({ type: "render" });
  await settled();
  clock.advance(999);
  await settled();
  assertEquals(first === undefined ? "" : typesOf(first).at(-1), "measure");
  clock.advance(1);
  await settled();
  assertEquals(first === undefined ? "" : typesOf(first).at(-1), "rendered");
  await end(service, fixture);
});

Deno.test("a worker that asks for metrics is told if they cannot be rendered, and the service logs why", async () => {
  const fixture = setUp();
  const service = await start(fixture);
  const [first] = fixture.threads;
  first?.send({ type: "render" });
  await settled();
  for (const { send } of fixture.threads) {
    send({ type: "measured", snapshot: JSON.parse('[{"name": "x", "aggregator": "no such"}]') });
  }
  await settled();
  assertEquals(first?.posted.at(-1), { type: "rendered", text: undefined });
  assertEquals(fixture.lines().filter(({ event }) => event === "failed").length, 1);
  await end(service, fixture);
});

Deno.test("end() waits for workers that are stuck no longer than for those that drain", async () => {
  const fixture = setUp();
  const { clock, threads, lines } = fixture;
  const service = await start(fixture);
  const ending = service.end();
  threads[0]?.send({ type: "drained" });
  await settled();
  assertEquals(clock.delays, [8000]); // DRAIN_MS and a margin
  clock.advance(8000);
  await settled();
  assertEquals(threads.map((thread) => typesOf(thread).at(-1)), ["close", "close"]);
  assertEquals(clock.delays, [2000]);
  clock.advance(2000);
  await ending;
  assertEquals([lines().at(-1)?.["event"], clock.delays], ["stopped", []]);
});

Deno.test("a worker that ends while the service ends is not replaced", async () => {
  const fixture = setUp();
  const { clock, threads } = fixture;
  const service = await start(fixture);
  const ending = service.end();
  threads[0]?.send({ type: "ended", reason: "it was killed" });
  threads[1]?.send({ type: "drained" });
  await settled();
  threads[1]?.send({ type: "closed" });
  await ending;
  assertEquals([clock.delays, threads.length], [[], 2]);
});

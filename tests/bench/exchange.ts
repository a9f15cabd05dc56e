/**
 * What an exchange costs in this service's own code: from its frame to the response frame, with a WebSocket that takes
 * frames at once and a destination that responds at once. Prints the time and the garbage of one exchange.
 *
 * Run: `deno run --allow-all --v8-flags=--max-semi-space-size=16,--expose-gc tests/bench/exchange.ts [BATCHES]`
 */
import { systemClock } from "../../src/clock.ts";
import { parseConfig } from "../../src/config/config.ts";
import { createForward } from "../../src/forward/forward.ts";
import type { Transport } from "../../src/http/transport.ts";
import { createLimiter } from "../../src/limits/limiter.ts";
import { createMemoryStore } from "../../src/limits/memory_store.ts";
import { createOpenConnection } from "../../src/open_connection.ts";
import { createResolver } from "../../src/policy/resolver.ts";
import { SUBPROTOCOL } from "../../src/protocol/mod.ts";
import { combine } from "../../src/telemetry/combine.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import type { Telemetry } from "../../src/telemetry/telemetry.ts";
import { Turns } from "../../src/turns/turns.ts";
import { createRegistry } from "../../src/upstream/registry.ts";
import { NO_LIMITS } from "../helpers/limits.ts";
import { median } from "./statistics.ts";

const IN_FLIGHT = 64;
const WARM_BATCHES = 500;
const ROUNDS = 9;
const MIB = 1024 * 1024;

const BODY = new TextEncoder().encode(
  JSON.stringify([{ id: 0, name: "Item 0", price: 12.5, tags: ["a", "b"] }, "x".repeat(120)]),
);

const HEADERS = Object.entries({
  server: "nginx/1.22.1",
  date: "Thu, 26 Nov 2026 11:12:42 GMT",
  "content-type": "application/json",
  "content-length": String(BODY.length),
  "last-modified": "Thu, 26 Nov 2026 11:12:42 GMT",
  connection: "keep-alive",
  etag: '"6565-c8"',
  "accept-ranges": "bytes",
});

/** A destination that responds at once. */
const respond: Transport = () =>
  Promise.resolve({
    status: 200,
    statusText: "OK",
    headers: HEADERS,
    decoded: false,
    body: {
      length: BODY.length,
      isHere: true,
      bytes: () => BODY,
      chunks: (): never => {
        throw new Error("Nothing is streamed here");
      },
      discard: () => {},
    },
  });

interface Variant extends Disposable {
  readonly name: string;
  /** Runs batches of exchanges, one batch at a time. */
  run(batches: number): Promise<void>;
}

function createVariant(name: string, telemetry: Telemetry): Variant {
  const config = parseConfig({
    ALLOW_HOSTS: "127.0.0.1:8001",
    MAX_IN_FLIGHT: String(2 * IN_FLIGHT),
  });
  const limiter = createLimiter(NO_LIMITS, createMemoryStore);
  const registry = createRegistry([], { getStatus: () => Promise.resolve(200) });
  const openConnection = createOpenConnection(config, {
    server: "wsfetch/bench",
    authenticator: undefined,
    limiter,
    registry,
    resolver: createResolver(),
    forward: createForward(respond),
    telemetry,
    tracing: undefined,
    turns: new Turns(systemClock),
    clock: systemClock,
  });
  let responses = -1; // hello is none
  let responded = (): void => {};
  const connection = openConnection({
    readyState: WebSocket.OPEN,
    bufferedAmount: 0,
    send(): void {
      if (++responses % IN_FLIGHT === 0) responded();
    },
    close: () => {},
    id: crypto.randomUUID(),
    identity: undefined,
    key: "bench",
    subprotocol: SUBPROTOCOL,
  });
  // An id is free a moment after its response, when the next batch has started already.
  const frames = Array.from(
    { length: 2 * IN_FLIGHT },
    (_, index) => `{"type":"request","id":${index + 1},"url":"http://127.0.0.1:8001/200.json"}`,
  );
  const halves = [frames.slice(0, IN_FLIGHT), frames.slice(IN_FLIGHT)];
  return {
    name,
    async run(batches): Promise<void> {
      for (let batch = 0; batch < batches; batch++) {
        const { promise, resolve } = Promise.withResolvers<void>();
        responded = resolve;
        for (const frame of halves[batch % 2] ?? []) connection.receive(frame);
        await promise;
      }
    },
    [Symbol.dispose](): void {
      connection.closed(1000);
      limiter[Symbol.dispose]();
      registry[Symbol.dispose]();
    },
  };
}

/** Microseconds of each exchange, and the bytes that it leaves behind. */
async function measure(
  { run }: Variant,
  batches: number,
): Promise<{ readonly micros: number; readonly bytes: number }> {
  const gc: unknown = Reflect.get(globalThis, "gc");
  const exchanges = batches * IN_FLIGHT;
  const startedAt = performance.now();
  await run(batches);
  const micros = (performance.now() - startedAt) * 1000 / exchanges;
  if (typeof gc !== "function") return { micros, bytes: NaN };
  // Few enough that the young generation is not collected meanwhile.
  const few = 16;
  gc();
  const before = Deno.memoryUsage().heapUsed;
  await run(few);
  return { micros, bytes: (Deno.memoryUsage().heapUsed - before) / few / IN_FLIGHT };
}

async function main(): Promise<void> {
  const batches = Number(Deno.args[0] ?? 500);
  using metrics = createMetrics({ version: "0" }, { connections: () => 1, inFlight: () => 0 });
  const logger = createLogger({ level: "info", format: "json", write: () => {} });
  using stack = new DisposableStack();
  const variants = [
    createVariant("log and metrics", combine(logger, metrics.telemetry)),
    createVariant("no telemetry", combine()),
  ].map((variant) => stack.use(variant));
  for (const { run } of variants) await run(WARM_BATCHES);
  const results = variants.map(({ name }) => ({
    name,
    micros: [] as number[], // the literal alone would be `never[]`
    bytes: [] as number[],
  }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, variant] of variants.entries()) {
      const { micros, bytes } = await measure(variant, batches);
      results[index]?.micros.push(micros);
      results[index]?.bytes.push(bytes);
    }
  }
  for (const { name, micros, bytes } of results) {
    print(
      `${name}: ${median(micros).toFixed(2)} µs an exchange, at best ` +
        `${Math.min(...micros).toFixed(2)}; ${(median(bytes) / 1024).toFixed(1)} KiB of garbage`,
    );
  }
  print(`resident: ${(Deno.memoryUsage().rss / MIB).toFixed(0)} MiB`);
}

function print(text: string): void {
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.log(text);
}

await main();

/**
 * How soon a destination sees its connection closed after `abort()` in the client, at each stage.
 *
 * Run: `deno run --allow-all tests/bench/cancel.ts`
 */
import { createClient } from "../../src/client/mod.ts";
import { startProcess } from "../helpers/process.ts";
import { startRaw } from "../helpers/upstream.ts";

const ROUNDS = 25;

const HEADS = {
  "before the head": "",
  "inside the head": "HTTP/1.1 200 OK\r\nx: y\r\n",
  "inside the body": "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nabc",
  "inside the upload": "",
} as const;

const stages = Object.keys(HEADS) as (keyof typeof HEADS)[];

/** A request body that goes on for as long as somebody takes it. */
function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(16_384)) });
}

/** Milliseconds from `abort()` to the end of the destination's connection. */
async function measure(stage: keyof typeof HEADS, url: string): Promise<number> {
  const came = Promise.withResolvers<void>();
  const left = Promise.withResolvers<number>();
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(HEADS[stage]);
    came.resolve();
    await connection.peerClosed();
    left.resolve(performance.now());
    connection.close();
  });
  await using client = createClient(url);
  const controller = new AbortController();
  const upload = stage === "inside the upload" ? { method: "POST", body: endless() } : {};
  const response = client.fetch(upstream.origin, { signal: controller.signal, ...upload });
  const body = stage === "inside the body" ? (await response).text() : response;
  body.catch(() => {}); // it is aborted
  await came.promise;
  const abortedAt = performance.now();
  controller.abort();
  return await left.promise - abortedAt;
}

await using service = await startProcess({ ALLOW_HOSTS: "127.0.0.1:*" });
for (const stage of stages) {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push(await measure(stage, service.url));
  const median = times.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? NaN;
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.log(`${stage}: closed after ${median.toFixed(1)} ms (median of ${ROUNDS})`);
}

/**
 * What a long download costs the small exchanges beside it: the median time of small exchanges on one
 * connection, without and with an endless download on the same connection that needs no credit.
 *
 * Run: `deno run --allow-all tests/bench/fairness.ts`
 */
import { connectV1, type TestClient } from "../helpers/client.ts";
import { startProcess } from "../helpers/process.ts";
import { startHttp } from "../helpers/upstream.ts";

const SMALL_EXCHANGES = 200;
const ROUNDS = 5;
const DOWNLOAD_ID = 1;

/** The median time of small exchanges, one after another, in milliseconds. */
async function medianOf(client: TestClient, url: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < SMALL_EXCHANGES; i++) {
    const id = 2 + i;
    const startedAt = performance.now();
    client.send({ type: "request", id, url });
    for (let frame = await client.next(); frame.id !== id;) frame = await client.next();
    times.push(performance.now() - startedAt);
  }
  return times.toSorted((a, b) => a - b)[SMALL_EXCHANGES / 2] ?? NaN;
}

await using upstream = startHttp(({ url }) => {
  if (!url.endsWith("/endless")) return Response.json({ small: true });
  const block = new Uint8Array(65_536);
  return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(block) }));
});
await using service = await startProcess({ ALLOW_HOSTS: "127.0.0.1:*", LOG_LEVEL: "info" });
await using client = await connectV1(service.url);
await medianOf(client, upstream.origin); // warms up

const ratios: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const alone = await medianOf(client, upstream.origin);
  const url = `${upstream.origin}/endless`;
  await client.ask({ type: "request", id: DOWNLOAD_ID, url, stream: true });
  const beside = await medianOf(client, upstream.origin);
  client.send({ type: "cancel", id: DOWNLOAD_ID });
  client.send({ type: "ping", data: String(round) });
  for (let frame = await client.next(); frame.type !== "pong";) frame = await client.next();
  ratios.push(beside / alone);
  // deno-lint-ignore no-console -- a benchmark says what it measured
  console.log(
    `alone ${alone.toFixed(2)} ms, beside a download ${beside.toFixed(2)} ms: ${
      (beside / alone).toFixed(1)
    } times`,
  );
}

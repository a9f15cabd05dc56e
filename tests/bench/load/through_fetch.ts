/**
 * Load through `fetch`, the platform's or that of the client: what an application gets.
 *
 * @module
 */
import { createClient } from "../../../src/client/mod.ts";
import type { LoadJob, Sample } from "./job.ts";
import { measure, type Meter } from "./meter.ts";

type Get = (url: string) => Promise<Response>;

/** Runs a round of so many `fetch` calls at a time. */
export async function runFetchLoad(job: LoadJob): Promise<Sample> {
  if (job.dialect === "fetch") {
    const inFlight = job.connections * job.inFlight;
    return await measure(job, (meter, signal) => call({ ...job, inFlight }, meter, signal, fetch));
  }
  await using stack = new AsyncDisposableStack();
  const clients = Array.from(
    { length: job.connections },
    () => stack.use(createClient(`ws://127.0.0.1:${job.port}/ws`)),
  );
  return await measure(job, async (meter, signal) => {
    await Promise.all(
      clients.map((client) => call(job, meter, signal, (url) => client.fetch(url))),
    );
  });
}

async function call(
  { target, bodyBytes, inFlight }: LoadJob,
  meter: Meter,
  signal: AbortSignal,
  get: Get,
): Promise<void> {
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (!signal.aborted) {
      const startedAt = performance.now();
      const failed = await isWhole(get, target, bodyBytes).then((whole) => !whole, () => true);
      meter.answered(performance.now() - startedAt, failed);
    }
  }));
}

async function isWhole(get: Get, url: string, bodyBytes: number): Promise<boolean> {
  const response = await get(url);
  const { length } = await response.text(); // the bodies are ASCII
  return response.status === 200 && length === bodyBytes;
}

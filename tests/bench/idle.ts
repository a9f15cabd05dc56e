/**
 * What idle connections cost each peer that holds them.
 *
 * @module
 */
import type { IdleSample } from "./load/job.ts";
import type { Peer } from "./peers.ts";
import { type RoundOptions, startPeer } from "./rounds.ts";

/** Connections at each step. */
export const IDLE_STEPS = [5000, 10_000] as const;

const SMALL_BYTES = 200;

/** What idle connections have cost a peer. */
export interface IdleResult {
  readonly peer: Pick<Peer, "name" | "title">;
  readonly sample: IdleSample;
}

/** Holds idle connections to one peer after the other. */
export async function measureIdle(
  options: RoundOptions & { readonly holdSeconds: number },
): Promise<readonly IdleResult[]> {
  const { peers, loader, upstream, warmSeconds, holdSeconds } = options;
  const results: IdleResult[] = [];
  for (const peer of peers) {
    const { name, title, idleDialect: dialect } = peer;
    if (dialect === undefined) continue;
    await using server = await startPeer(peer, "http", options);
    if (server === undefined) continue;
    const job = {
      dialect,
      port: server.port,
      target: upstream.url({ scheme: "http", keepsAlive: true, bodyBytes: SMALL_BYTES }),
      serverPids: server.pids(),
    };
    // What exchanges need once is there before memory is compared.
    await loader.run({
      ...job,
      bodyBytes: SMALL_BYTES,
      connections: 50,
      inFlight: 1,
      seconds: warmSeconds,
      upstreamPids: [],
    });
    const sample = await loader.hold({ ...job, steps: IDLE_STEPS, holdSeconds });
    results.push({ peer: { name, title }, sample });
  }
  return results;
}

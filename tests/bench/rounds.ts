/**
 * Rounds over all peers in turn, so that whatever else the machine does meets them alike.
 *
 * @module
 */
import type { Cell, Scheme } from "./cells.ts";
import type { Placement } from "./cores.ts";
import type { Sample } from "./load/job.ts";
import type { Loader } from "./loader.ts";
import type { Peer } from "./peers.ts";
import { findPort, type ServerProcess, startServer } from "./processes.ts";
import type { Upstream } from "./upstream.ts";

/** What a peer has shown in a cell: one sample a round. */
export interface PeerResult {
  readonly peer: Pick<Peer, "name" | "title">;
  readonly samples: readonly Sample[];
}

/** What a cell has shown. */
export interface CellResult {
  readonly cell: Cell;
  readonly results: readonly PeerResult[];
}

/** Where and how long it is measured. */
export interface RoundOptions {
  readonly peers: readonly Peer[];
  readonly loader: Loader;
  readonly upstream: Upstream;
  readonly placement: Placement;
  readonly folder: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmSeconds: number;
}

/** Measures a cell with servers that are started for it. */
export async function measureCell(cell: Cell, options: RoundOptions): Promise<CellResult> {
  const { loader, upstream, rounds, seconds, warmSeconds } = options;
  await using stack = new AsyncDisposableStack();
  const taking = options.peers.filter(({ dialects, scheme }) =>
    dialects[cell.mode] !== undefined && scheme !== cell.scheme
  );
  const runners = await Promise.all(taking.map(async (peer) => {
    const server = await startPeer(peer, cell.scheme, options);
    if (server !== undefined) stack.use(server);
    return { peer, server, samples: [] as Sample[] }; // the literal alone would be `never[]`
  }));

  function run({ peer, server }: typeof runners[number], seconds: number): Promise<Sample> {
    server?.forgetOutput(); // a log line for each exchange adds up
    return loader.run({
      dialect: peer.dialects[cell.mode] ?? "v1",
      port: server?.port ?? 0,
      target: upstream.url({ ...cell, scheme: peer.scheme ?? cell.scheme }),
      bodyBytes: cell.bodyBytes,
      connections: cell.connections,
      inFlight: cell.inFlight,
      seconds,
      serverPids: server?.pids() ?? [],
      upstreamPids: upstream.process.pids(),
    });
  }

  for (const runner of runners) await run(runner, warmSeconds);
  for (let round = 0; round < rounds; round++) {
    for (const runner of runners) runner.samples.push(await run(runner, seconds));
  }
  return {
    cell,
    results: runners.map(({ peer: { name, title }, samples }) => ({
      peer: { name, title },
      samples,
    })),
  };
}

/** Starts a peer's program where it belongs; `undefined`: it has none. */
export async function startPeer(
  { name, program, isMulti }: Peer,
  scheme: Scheme,
  { placement, folder }: Pick<RoundOptions, "placement" | "folder">,
): Promise<ServerProcess | undefined> {
  if (program === undefined) return undefined;
  const port = findPort();
  return await startServer(program(port, scheme), {
    port,
    cores: isMulti ? placement.twoCores : placement.server,
    output: `${folder}/${name}.log`,
  });
}

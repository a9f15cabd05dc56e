/**
 * A network with a round-trip time, on the loopback interface: relays TCP, and passes what it reads on after half of that
 * time. What the client says first waits for a round trip more, which is what connecting would have taken. Each line of
 * input is the JSON of a {@linkcode RelayJob}; the answer is the port that the relay listens on for it.
 *
 * @module
 */
import { answerLines } from "../load/lines.ts";

/** What to relay. */
export interface RelayJob {
  /** The port that connections go to. */
  readonly port: number;
  readonly roundTripMs: number;
}

const READ_BYTES = 65_536;
const LOOPBACK = "127.0.0.1";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Passes on what one end sends, each piece so long after it has arrived. */
async function pass(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  { delayMs, firstMs }: { readonly delayMs: number; readonly firstMs: number },
): Promise<void> {
  const openAt = performance.now() + firstMs;
  let written = Promise.resolve();
  for (;;) {
    const memory = new Uint8Array(READ_BYTES);
    const length = await from.read(memory).catch(() => null);
    const dueAt = Math.max(performance.now(), openAt) + delayMs;
    const former = written;
    written = (async () => {
      await pause(dueAt - performance.now());
      await former;
      if (length === null) return await to.closeWrite();
      for (let at = 0; at < length;) at += await to.write(memory.subarray(at, length));
    })().catch(() => {}); // an end is gone
    if (length === null) return await written;
  }
}

async function relay(client: Deno.TcpConn, { port, roundTripMs }: RelayJob): Promise<void> {
  using server = await Deno.connect({ hostname: LOOPBACK, port });
  using _ = client;
  for (const each of [client, server]) each.setNoDelay(true);
  const delayMs = roundTripMs / 2;
  await Promise.all([
    pass(client, server, { delayMs, firstMs: roundTripMs }),
    pass(server, client, { delayMs, firstMs: 0 }),
  ]);
}

async function accept(listener: Deno.TcpListener, job: RelayJob): Promise<void> {
  for await (const client of listener) relay(client, job).catch(() => {}); // an end is gone
}

await answerLines((job: RelayJob) => {
  const listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  accept(listener, job);
  return Promise.resolve(listener.addr.port);
});

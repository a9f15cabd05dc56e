/**
 * A port that drops connections, as a firewall does: its queue of connections is full.
 *
 * @module
 */

/** A port to which connections are neither made nor refused. */
export interface BlackHole extends Disposable {
  readonly port: number;
}

// A connection that is not made by then is one that is dropped.
const DROPPED_MS = 200;
const MAX_QUEUE = 5000;

/** Listens on a port and fills the queue of connections that wait to be accepted. */
export async function startBlackHole(
  { hostname = "127.0.0.1", port = 0 }: { readonly hostname?: string; readonly port?: number } = {},
): Promise<BlackHole> {
  const listener = Deno.listen({ hostname, port });
  const queued: Deno.TcpConn[] = [];
  const close = (): void => {
    for (const connection of queued) connection.close();
    listener.close();
  };
  const target = { hostname, port: listener.addr.port };
  while (queued.length < MAX_QUEUE) {
    const signal = AbortSignal.timeout(DROPPED_MS);
    const connection = await Deno.connect({ ...target, signal }).catch(() => undefined);
    if (connection === undefined) return { port: target.port, [Symbol.dispose]: close };
    queued.push(connection);
  }
  close();
  throw new Error(`The queue of connections took ${MAX_QUEUE}`);
}

/**
 * A server that goes on listening.
 *
 * @module
 */
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Handler } from "./router.ts";

/** Where to listen. */
export interface ListenOptions {
  readonly hostname: string;
  /** 0: any free one. */
  readonly port: number;
  /** Whether others may listen there too, which share the connections out between them. Default: no. */
  readonly reusePort?: boolean;
}

/** What a listener works with. */
export interface ListenerDeps {
  readonly handler: Handler;
  readonly telemetry: Telemetry;
  /** Is told whenever it listens, once or again. */
  readonly onListen: (address: ListenAddress) => void;
}

/** Where a listener listens. */
export interface ListenAddress {
  readonly url: string;
  readonly port: number;
}

/** A server that listens. */
export interface Listener {
  /** Takes no more connections; fulfils when those that there are have ended, or after a second. */
  close(): Promise<void>;
}

/** Nobody can listen there. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

// Before a listener that has failed is replaced.
const LISTEN_AGAIN_MS = 1000;
// A client that does not answer the closing handshake is not waited for any longer.
const CLOSE_MS = 1000;

/**
 * Listens. A listener that fails later (out of file descriptors) does not come back by itself: it is replaced.
 *
 * @throws {ListenError} The address cannot be listened on.
 */
export function listen(options: ListenOptions, deps: ListenerDeps): Listener {
  const { telemetry } = deps;
  let server = start(options, deps);
  const again = { ...options, port: server.addr.port };
  let closing = false;

  /** No stack leads through this file: Deno would open its source map, and panics when it cannot. */
  function keepListening(): void {
    server.finished.catch((error) => {
      telemetry.emit({ type: "failed", error });
      setTimeout(listenAgain, LISTEN_AGAIN_MS);
    });
  }

  function listenAgain(): void {
    if (closing) return;
    try {
      server = start(again, deps);
      keepListening();
    } catch (error) {
      telemetry.emit({ type: "failed", error: String(error) });
      setTimeout(listenAgain, LISTEN_AGAIN_MS);
    }
  }

  keepListening();
  return {
    async close(): Promise<void> {
      closing = true;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise((resolve) => timer = setTimeout(resolve, CLOSE_MS));
      // A listener that has failed says so once more.
      await Promise.race([server.shutdown().catch(() => {}), late]);
      clearTimeout(timer);
    },
  };
}

/**
 * Gives a port that can be listened on: this one, or any that is free where it is 0.
 *
 * @throws {ListenError} Somebody listens there, be it to share the port.
 */
export function probe({ hostname, port }: ListenOptions): number {
  try {
    using listener = Deno.listen({ hostname, port });
    return listener.addr.port;
  } catch (error) {
    throw toListenError({ hostname, port }, error);
  }
}

type Server = Deno.HttpServer<Deno.NetAddr>;

function start(options: ListenOptions, { handler, onListen }: ListenerDeps): Server {
  try {
    return Deno.serve({
      ...options,
      onListen: ({ hostname, port }) => onListen({ url: toUrl(hostname, port), port }),
    }, handler);
  } catch (error) {
    throw toListenError(options, error);
  }
}

function toListenError({ hostname, port }: ListenOptions, error: unknown): ListenError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ListenError(`Cannot listen on ${toUrl(hostname, port)}: ${reason}`, { cause: error });
}

function toUrl(hostname: string, port: number): string {
  return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}/`;
}

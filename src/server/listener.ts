/**
 * An HTTP server that listens again after its listener has failed.
 *
 * @module
 */
import { type Cancel, type Clock, keepProcessAlive, systemClock } from "../clock.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Handler } from "./router.ts";

/** Where to listen. */
export interface ListenTarget {
  readonly hostname: string;
  /** 0: any free port. */
  readonly port: number;
  /** Whether other listeners may share the port, so that each accepts some of the connections. Default: no. */
  readonly reusePort?: boolean;
}

/** Where a server listens. */
export interface ListenAddress {
  readonly url: string;
  readonly port: number;
}

/** A server that listens. */
export interface Listener {
  /** Stops listening. Fulfils when all connections have ended, at the latest after a second. */
  close(): Promise<void>;
}

/** The address cannot be listened on. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

const LISTEN_AGAIN_MS = 1000;
// Clients that keep their connections open are not waited for any longer.
const CLOSE_MS = 1000;

type Server = Deno.HttpServer<Deno.NetAddr>;

/**
 * Starts to listen. If the listener fails later, for example because the process has too many open files, it is
 * replaced until it works again.
 *
 * @param deps `onListen` is called whenever the server starts to listen.
 * @throws {ListenError} The address cannot be listened on.
 */
export function listen(
  target: ListenTarget,
  { handler, telemetry, onListen, clock = systemClock }: {
    readonly handler: Handler;
    readonly telemetry: Telemetry;
    readonly onListen: (address: ListenAddress) => void;
    readonly clock?: Clock;
  },
): Listener {
  let isClosing = false;

  function start(target: ListenTarget): Server {
    try {
      return Deno.serve({
        ...target,
        onListen: ({ hostname, port }) => onListen({ url: toUrl(hostname, port), port }),
      }, handler);
    } catch (error) {
      throw toListenError(target, error);
    }
  }

  function replaceWhenFailed(): void {
    server.finished.catch((error) => {
      telemetry.emit({ type: "failed", error });
      listenAgainLater();
    });
  }

  function listenAgainLater(): void {
    const alive = keepProcessAlive();
    clock.after(LISTEN_AGAIN_MS, () => {
      alive[Symbol.dispose]();
      listenAgain();
    });
  }

  function listenAgain(): void {
    if (isClosing) return;
    try {
      server = start({ ...target, port });
      replaceWhenFailed();
    } catch (error) {
      // As text: Deno would look for the source map of each file in the stack, and panics if it cannot open one.
      telemetry.emit({ type: "failed", error: String(error) });
      listenAgainLater();
    }
  }

  let server = start(target);
  const { port } = server.addr;
  replaceWhenFailed();
  return {
    async close(): Promise<void> {
      isClosing = true;
      let cancel: Cancel = () => {};
      const late = new Promise<void>((resolve) => cancel = clock.after(CLOSE_MS, resolve));
      // A listener that has failed rejects here once more; its error was reported.
      await Promise.race([server.shutdown().catch(() => {}), late]);
      cancel();
    },
  };
}

/**
 * Returns a port that can be listened on: the port itself, or a free one if it is 0.
 *
 * @throws {ListenError} Another listener has the port, even if it shares the port.
 */
export function probe({ hostname, port }: ListenTarget): number {
  try {
    using listener = Deno.listen({ hostname, port });
    return listener.addr.port;
  } catch (error) {
    throw toListenError({ hostname, port }, error);
  }
}

function toListenError({ hostname, port }: ListenTarget, error: unknown): ListenError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ListenError(`Cannot listen on ${toUrl(hostname, port)}: ${reason}`, { cause: error });
}

function toUrl(hostname: string, port: number): string {
  return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}/`;
}

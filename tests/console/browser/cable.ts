/**
 * A TCP proxy whose connections a test can break.
 *
 * @module
 */

/** A TCP proxy. */
export interface Cable extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  /** Closes all connections and refuses new ones. */
  unplug(): void;
  /** Accepts new connections. */
  plug(): void;
}

/** Starts a TCP proxy to another port of the loopback interface. */
export function startCable(port: number): Cable {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const open = new Set<Deno.Conn>();
  let isPlugged = true;

  async function pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    try {
      await from.readable.pipeTo(to.writable);
    } catch {
      // unplugged, or one end has closed
    } finally {
      for (const end of [from, to]) close(end);
    }
  }

  function close(end: Deno.Conn): void {
    if (!open.delete(end)) return;
    try {
      end.close();
    } catch {
      // already closed by its stream
    }
  }

  const accepting = (async () => {
    const passing: Promise<void>[] = [];
    for await (const near of listener) {
      if (!isPlugged) {
        near.close();
        continue;
      }
      const far = await Deno.connect({ port });
      open.add(near).add(far);
      passing.push(pass(near, far), pass(far, near));
    }
    await Promise.all(passing);
  })();

  function unplug(): void {
    isPlugged = false;
    for (const end of [...open]) close(end);
  }

  return {
    origin: `http://127.0.0.1:${listener.addr.port}`,
    unplug,
    plug: () => void (isPlugged = true),
    async [Symbol.asyncDispose](): Promise<void> {
      listener.close();
      unplug();
      await accepting;
    },
  };
}

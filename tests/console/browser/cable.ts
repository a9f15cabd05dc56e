/**
 * What leads to a server and can be unplugged.
 *
 * @module
 */

/** A way to a server. */
export interface Cable extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  /** Breaks every connection, and takes no other. */
  unplug(): void;
  plug(): void;
}

/** Starts a TCP server that passes everything on to another port of the loopback interface. */
export function startCable(port: number): Cable {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const open = new Set<Deno.Conn>();
  let isPlugged = true;

  async function pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    try {
      await from.readable.pipeTo(to.writable);
    } catch {
      // it was unplugged, or either end broke
    } finally {
      for (const end of [from, to]) close(end);
    }
  }

  function close(end: Deno.Conn): void {
    if (!open.delete(end)) return;
    try {
      end.close();
    } catch {
      // the stream that ended has closed it
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
